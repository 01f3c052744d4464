import { decodeBytes } from "./bytes.ts";
import { readCcda } from "./ccda.ts";
import { readFhir } from "./fhir.ts";
import { NoteFileError, oneLineEnd, type ReadNotes } from "./note_file.ts";

/** What the file dialog offers. */
export const ACCEPTED_FILES = ".txt,.text,.md,.json,.xml,.ccda,.cda,text/plain,application/json,text/xml,application/xml";

/** Larger files are no notes; a FHIR record of a lifetime stays below. */
const MOST_BYTES = 64 << 20;

/** Reads one file as its name says: `.json` is FHIR, `.xml` is C-CDA, anything else that is text is a note. */
export function readNoteFile(name: string, bytes: Uint8Array): ReadNotes {
  if (bytes.length > MOST_BYTES) throw new NoteFileError(name, "", "is larger than 64 MiB");
  const extension = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  const text = decodeBytes(bytes);
  if (extension === "json") return readFhir(name, text);
  if (extension === "xml" || extension === "ccda" || extension === "cda") {
    const note = readCcda(name, text);
    return { notes: [{ ...note, title: note.title === name ? name : `${note.title} (${name})` }], skipped: [] };
  }
  // A NUL is in every PDF, image and word processor file, and in no text.
  if (text.includes("\0")) {
    throw new NoteFileError(name, "", "is no text: .txt, .json (FHIR) and .xml (C-CDA) are read");
  }
  if (text.trim() === "") throw new NoteFileError(name, "", "is empty");
  return { notes: [{ title: name, text: oneLineEnd(text) }], skipped: [] };
}
