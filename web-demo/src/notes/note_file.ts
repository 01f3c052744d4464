/** A note as a file gave it. Its text lives in memory only. */
export interface IncomingNote {
  /** A name for people: the file's name or the document's type; never words of the note. */
  title: string;
  text: string;
  /** FHIR reference to the patient, where the file has one: the exported Conditions point at it. */
  subject?: string;
  /** FHIR reference to the encounter, where the file has one. */
  encounter?: string;
}

/** A part of a file that holds no note that can be read, and the rule that it breaks. */
export interface Skipped {
  where: string;
  rule: string;
}

/** What a file gave: a Bundle may hold many notes, and parts that are none. */
export interface ReadNotes {
  notes: IncomingNote[];
  skipped: Skipped[];
}

/** A file that cannot be read as a note. The message names the file, the place and the rule, and never quotes the note. */
export class NoteFileError extends Error {
  override readonly name = "NoteFileError";

  constructor(
    readonly file: string,
    readonly where: string,
    readonly rule: string,
  ) {
    super(where === "" ? `${file}: ${rule}` : `${file}, ${where}: ${rule}`);
  }
}

/** Line ends as the page keeps them, so that an offset into the note is an offset into what is shown. */
export function oneLineEnd(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}
