/** The note cut into pieces at every border of evidence, so that each piece knows the codes that it speaks for. */
import type { Suggestion } from "./suggestion.ts";

/** A piece of the note, in UTF-16 offsets, the end exclusive. */
export interface Piece {
  start: number;
  end: number;
  /** Codes that this piece speaks for, the strongest first; empty for plain text. */
  codes: { code: string; weight: number }[];
}

/** Pieces in the order of the note; together they are the note. */
export function pieces(length: number, suggestions: Suggestion[]): Piece[] {
  const spans = suggestions.flatMap(({ code, evidence }) =>
    evidence
      .map(({ start, end, weight }) => ({ code, start: Math.max(0, start), end: Math.min(length, end), weight }))
      .filter(({ start, end }) => start < end),
  );
  const cuts = new Set([0, length]);
  for (const { start, end } of spans) cuts.add(start).add(end);
  const borders = [...cuts].sort((a, b) => a - b);
  const opening = Map.groupBy === undefined ? group(spans) : Map.groupBy(spans, (span) => span.start);
  let open: typeof spans = [];
  const out: Piece[] = [];
  for (let at = 0; at + 1 < borders.length; at += 1) {
    const [start, end] = [borders[at]!, borders[at + 1]!];
    open = open.filter((span) => span.end > start).concat(opening.get(start) ?? []);
    const strongest = new Map<string, number>();
    for (const { code, weight } of open) strongest.set(code, Math.max(weight, strongest.get(code) ?? 0));
    const codes = [...strongest].map(([code, weight]) => ({ code, weight })).sort((a, b) => b.weight - a.weight);
    out.push({ start, end, codes });
  }
  return out;
}

function group<T extends { start: number }>(spans: T[]): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const span of spans) groups.set(span.start, [...(groups.get(span.start) ?? []), span]);
  return groups;
}

/** 1 (faint) to 4 (full): how strongly a piece is lit, measured against the code's strongest word. */
export function strength(weight: number, strongest: number): 1 | 2 | 3 | 4 {
  if (strongest <= 0) return 1;
  const share = weight / strongest;
  return share > 0.75 ? 4 : share > 0.45 ? 3 : share > 0.2 ? 2 : 1;
}
