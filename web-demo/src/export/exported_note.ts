import type { Row } from "../coding/review.ts";

/** One note with the rows that go out. The note's text is not part of it. */
export interface ExportedNote {
  title: string;
  rows: Row[];
  subject?: string;
  encounter?: string;
}

/** What stands in every export about its making. */
export interface ExportContext {
  /** ISO 8601 with zone. */
  madeAt: string;
  model: { name: string; id: string };
  /** Release of the table of codes, as `2026-04`. */
  release: string;
  /** Words of the note go out only when a person ticks the box. */
  withWords: boolean;
}

/** The words that speak for a code, in the order of the note. */
export function words(row: Row): string[] {
  return [...(row.suggestion?.evidence ?? [])].sort((a, b) => a.start - b.start).map(({ text }) => text);
}
