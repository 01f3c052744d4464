import { useState } from "preact/hooks";
import type { Session, State } from "../app/session.ts";
import { exported } from "../coding/review.ts";
import { toCsv } from "../export/csv.ts";
import type { ExportedNote } from "../export/exported_note.ts";
import { toFhir } from "../export/fhir.ts";
import { toJson } from "../export/json.ts";
import { Dialog } from "./Dialog.tsx";

const FORMATS = {
  csv: { name: "CSV", about: "One line a code, for spreadsheets", type: "text/csv" },
  json: { name: "JSON", about: "For programs", type: "application/json" },
  fhir: { name: "FHIR R4", about: "A Bundle of Conditions, for the record", type: "application/fhir+json" },
} as const;
type Format = keyof typeof FORMATS;

/** Asks for format and extent, and saves one file. Words of the note go out only with the box ticked. */
export function ExportDialog({ session, state, close }: { session: Session; state: State; close: () => void }) {
  const [format, setFormat] = useState<Format>("csv");
  const [undecided, setUndecided] = useState(false);
  const [every, setEvery] = useState(state.notes.length > 1);
  const [withWords, setWithWords] = useState(false);
  const chosen = every ? state.notes : [session.note];
  const notes = chosen
    .map((note): ExportedNote => ({
      title: note.title,
      rows: exported(session.rows(note), undecided),
      ...(note.subject !== undefined && { subject: note.subject }),
      ...(note.encounter !== undefined && { encounter: note.encounter }),
    }))
    .filter(({ rows }) => rows.length > 0);
  const count = notes.reduce((sum, { rows }) => sum + rows.length, 0);

  const save = (): void => {
    if (state.model.phase !== "ready") return;
    const { card, codes } = state.model.model;
    const madeAt = new Date().toISOString();
    const context = { madeAt, model: { name: card.name, id: card.id }, release: codes.release, withWords };
    const text =
      format === "csv"
        ? toCsv(notes, context)
        : format === "json"
          ? toJson(notes, context)
          : toFhir(notes, context, () => crypto.randomUUID());
    const extension = format === "fhir" ? "fhir.json" : format;
    download(`codes-${madeAt.slice(0, 19).replaceAll(":", "")}.${extension}`, FORMATS[format].type, text);
    session.exportedNow();
    close();
  };

  return (
    <Dialog title="Export" close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <fieldset class="formats">
          <legend>Format</legend>
          {(Object.keys(FORMATS) as Format[]).map((one) => (
            <label key={one}>
              <input type="radio" name="format" value={one} checked={format === one} onChange={() => setFormat(one)} />
              <strong>{FORMATS[one].name}</strong>
              <span>{FORMATS[one].about}</span>
            </label>
          ))}
        </fieldset>
        <fieldset class="choices">
          <legend>What</legend>
          {state.notes.length > 1 && (
            <label>
              <input type="checkbox" checked={every} onChange={() => setEvery(!every)} /> All {state.notes.length} notes
            </label>
          )}
          <label>
            <input type="checkbox" checked={undecided} onChange={() => setUndecided(!undecided)} /> Suggestions that nobody
            decided, too
          </label>
          <label>
            <input type="checkbox" checked={withWords} onChange={() => setWithWords(!withWords)} /> Words of the note that
            speak for each code
          </label>
        </fieldset>
        <div class="dialog-foot">
          <p class="fine">{count === 0 ? "Nothing accepted yet." : `${count} ${count === 1 ? "code" : "codes"} of ${notes.length} ${notes.length === 1 ? "note" : "notes"}`}</p>
          <button type="submit" class="button primary" disabled={count === 0}>
            Save file
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** The browser saves a file that the page made: nothing is requested. */
function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
