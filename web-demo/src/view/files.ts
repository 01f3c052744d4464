/** Files and folders, dropped or chosen, to notes. */
import type { Session } from "../app/session.ts";
import type { IncomingNote } from "../notes/note_file.ts";
import { NoteFileError } from "../notes/note_file.ts";
import { readNoteFile } from "../notes/read_file.ts";

/** A folder may hold anything: only these are looked at there. */
const IN_FOLDERS = /\.(txt|text|md|json|xml|ccda|cda)$/i;
/** Lines of a notice; the rest is counted. */
const MOST_LINES = 6;

/** What was dropped on the page: files as they are, folders with all below them. */
export async function takeFiles(session: Session, transfer: DataTransfer): Promise<void> {
  // Entries must be asked for before the first await: the list is empty afterwards.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry != null);
  const loose = [...transfer.files];
  if (entries.some((entry) => entry.isDirectory)) {
    const files: File[] = [];
    for (const entry of entries) await walk(entry, files, false);
    await readFiles(session, files);
  } else await readFiles(session, loose);
}

async function walk(entry: FileSystemEntry, into: File[], inFolder: boolean): Promise<void> {
  if (entry.isFile) {
    if (inFolder && !IN_FOLDERS.test(entry.name)) return;
    into.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives at most 100 entries at a time.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const child of some.sort((a, b) => a.name.localeCompare(b.name))) await walk(child, into, true);
  }
}

/** Files of a chosen folder, without what is no note. */
export function notesOfFolder(files: Iterable<File>): File[] {
  return [...files].filter(({ name }) => IN_FOLDERS.test(name));
}

/** Reads files and codes their notes; what cannot be read is told in a notice, by file, place and rule. */
export async function readFiles(session: Session, files: File[]): Promise<void> {
  const notes: IncomingNote[] = [];
  const refused: string[] = [];
  for (const file of files) {
    try {
      const read = readNoteFile(file.name, new Uint8Array(await file.arrayBuffer()));
      notes.push(...read.notes);
      refused.push(...read.skipped.map(({ where, rule }) => `${file.name}, ${where}: ${rule}`));
    } catch (error) {
      refused.push(error instanceof NoteFileError ? error.message : `${file.name}: cannot be read`);
    }
  }
  const lines = refused.slice(0, MOST_LINES);
  if (refused.length > lines.length) lines.push(`… and ${refused.length - lines.length} more`);
  if (files.length === 0) lines.push("No note in it: .txt, .json (FHIR) and .xml (C-CDA) are read.");
  session.notice(lines.length > 0 ? lines : undefined);
  session.take(notes);
}
