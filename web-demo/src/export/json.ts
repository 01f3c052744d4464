import { words, type ExportContext, type ExportedNote } from "./exported_note.ts";

/** For programs: format `bert-xml-review`, version 1. Nothing in it is rounded. */
export function toJson(notes: ExportedNote[], context: ExportContext): string {
  const { madeAt, model, release, withWords } = context;
  const out = {
    format: "bert-xml-review",
    version: 1,
    madeAt,
    model,
    codes: { system: "ICD-10-CM", release },
    notes: notes.map(({ title, subject, encounter, rows }) => ({
      title,
      ...(subject !== undefined && { subject }),
      ...(encounter !== undefined && { encounter }),
      codes: rows.map((row) => ({
        code: row.code,
        description: row.description,
        ...(row.suggestion && { probability: row.suggestion.probability, threshold: row.suggestion.threshold }),
        decision: row.decision ?? "undecided",
        origin: row.added ? "added" : "suggested",
        ...(row.insteadOf !== undefined && { insteadOf: row.insteadOf }),
        ...(withWords && { words: words(row) }),
      })),
    })),
  };
  return `${JSON.stringify(out, null, 2)}\n`;
}
