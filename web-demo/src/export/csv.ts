/** RFC 4180 with CRLF. A byte order mark makes spreadsheets read it as UTF-8. */
import { words, type ExportContext, type ExportedNote } from "./exported_note.ts";

/** One line a code, with a head. An empty cell stands for what there is not; probabilities have four digits. */
export function toCsv(notes: ExportedNote[], context: ExportContext): string {
  const head = ["note", "code", "description", "probability", "threshold", "decision", "origin", "instead_of"];
  if (context.withWords) head.push("words");
  const lines = notes.flatMap((note) =>
    note.rows.map((row) => {
      const cells = [
        note.title,
        row.code,
        row.description,
        row.suggestion?.probability.toFixed(4) ?? "",
        row.suggestion?.threshold.toFixed(4) ?? "",
        row.decision ?? "undecided",
        row.added ? "added" : "suggested",
        row.insteadOf ?? "",
      ];
      if (context.withWords) cells.push(words(row).join("; "));
      return cells;
    }),
  );
  return `\uFEFF${[head, ...lines].map((cells) => cells.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** A cell that begins like a formula would run in a spreadsheet: it gets an apostrophe (OWASP, CSV injection). */
function cell(value: string): string {
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
