/**
 * Notes in FHIR R4 JSON: `DocumentReference.content.attachment`, `DiagnosticReport.presentedForm` and the sections of a
 * `Composition`, alone or in a `Bundle` of any type. What holds no text is listed with the rule that it breaks.
 */
import { decodeBase64, decodeBytes } from "./bytes.ts";
import { readCcda } from "./ccda.ts";
import { htmlToText } from "./narrative.ts";
import { NoteFileError, oneLineEnd, type IncomingNote, type ReadNotes, type Skipped } from "./note_file.ts";

type Json = Record<string, unknown>;

/**
 * All notes of a resource; the same text twice is one note. Throws {@link NoteFileError} where there is none: then with
 * the first rule that was broken.
 */
export function readFhir(file: string, json: string): ReadNotes {
  let root: unknown;
  try {
    root = JSON.parse(json);
  } catch {
    // The engine's message quotes the file: ours must not.
    throw new NoteFileError(file, "", "is not valid JSON");
  }
  const resource = object(root);
  const type = resource === undefined ? undefined : string(resource["resourceType"]);
  if (resource === undefined || type === undefined) {
    throw new NoteFileError(file, "resourceType", "is missing: a FHIR resource names its type");
  }
  const found: ReadNotes = { notes: [], skipped: [] };
  if (type === "Bundle") {
    list(resource["entry"]).forEach((entry, index) => {
      const inner = object(object(entry)?.["resource"]);
      if (inner !== undefined) readResource(file, `Bundle.entry[${index}]`, inner, found);
    });
  } else if (!readResource(file, type, resource, found)) {
    const known = "DocumentReference, DiagnosticReport, Composition and Bundle";
    throw new NoteFileError(file, "resourceType", `is ${type}: notes are read from ${known}`);
  }
  found.notes = distinct(found.notes);
  const first = found.skipped[0];
  if (found.notes.length === 0 && first !== undefined) throw new NoteFileError(file, first.where, first.rule);
  if (found.notes.length === 0) throw new NoteFileError(file, type, "has no note in it");
  return found;
}

/** False for a resource that never holds a note. */
function readResource(file: string, where: string, resource: Json, found: ReadNotes): boolean {
  const type = string(resource["resourceType"]) ?? "";
  const at = where === type ? type : `${where} (${type})`;
  const about = context(resource);
  const kind = display(resource["type"]) ?? display(resource["code"]) ?? string(resource["title"]) ?? type;
  const day = string(resource["date"] ?? resource["effectiveDateTime"] ?? resource["issued"])?.slice(0, 10);
  const title = day === undefined ? kind : `${kind}, ${day}`;
  if (type === "DocumentReference" || type === "DiagnosticReport") {
    const field = type === "DocumentReference" ? "content" : "presentedForm";
    const texts: string[] = [];
    list(resource[field]).forEach((item, index) => {
      const attachment = object(type === "DocumentReference" ? object(item)?.["attachment"] : item) ?? {};
      const text = attachmentText(file, `${at}.${field}[${index}]`, attachment, found.skipped);
      // The same document in two forms (plain and HTML) is one note: the first that reads.
      if (text !== undefined && texts.length === 0) texts.push(text);
    });
    for (const text of texts) found.notes.push({ title, text, ...about });
    return true;
  }
  if (type === "Composition") {
    const text = list(resource["section"]).map(sectionText).filter((part) => part !== "").join("\n\n");
    if (text === "") found.skipped.push({ where: `${at}.section`, rule: "has no text" });
    else found.notes.push({ title, text: oneLineEnd(text), ...about });
    return true;
  }
  return false;
}

function attachmentText(file: string, where: string, attachment: Json, skipped: Skipped[]): string | undefined {
  const skip = (rule: string): undefined => void skipped.push({ where, rule });
  const data = string(attachment["data"]);
  if (data === undefined) {
    const elsewhere = string(attachment["url"]) !== undefined;
    return skip(elsewhere ? "has only an address (url), and this page fetches nothing" : "has no data");
  }
  const [type = "", ...parameters] = (string(attachment["contentType"]) ?? "text/plain").toLowerCase().split(";");
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith("charset="))?.slice(8);
  const bytes = decodeBase64(data);
  if (bytes === undefined) return skip("data is not base64");
  const text = decodeBytes(bytes, charset);
  switch (type.trim()) {
    case "text/plain":
    case "text/markdown":
      return filled(oneLineEnd(text), skip);
    case "text/html":
    case "application/xhtml+xml":
      return filled(htmlToText(text), skip);
    case "text/xml":
    case "application/xml":
    case "application/hl7-cda+xml":
    case "application/cda+xml":
      try {
        return readCcda(file, text).text;
      } catch (error) {
        return skip(error instanceof NoteFileError ? error.rule : "cannot be read");
      }
    default:
      return skip(`contentType is ${type.trim()}: text, HTML and C-CDA are read`);
  }
}

function filled(text: string, skip: (rule: string) => undefined): string | undefined {
  return text.trim() === "" ? skip("its text is empty") : text;
}

function sectionText(section: unknown): string {
  const fields = object(section) ?? {};
  const title = string(fields["title"]);
  const own = htmlToText(string(object(fields["text"])?.["div"]) ?? "");
  const nested = list(fields["section"]).map(sectionText);
  const parts = [own, ...nested].filter((part) => part !== "");
  if (parts.length === 0) return "";
  return title === undefined ? parts.join("\n\n") : `${title}\n${parts.join("\n\n")}`;
}

function context(resource: Json): Pick<IncomingNote, "subject" | "encounter"> {
  const subject = string(object(resource["subject"])?.["reference"]);
  const inContext = list(object(resource["context"])?.["encounter"])[0];
  const encounter = string(object(inContext ?? resource["encounter"])?.["reference"]);
  return { ...(subject !== undefined && { subject }), ...(encounter !== undefined && { encounter }) };
}

function display(concept: unknown): string | undefined {
  const fields = object(concept);
  const coding = list(fields?.["coding"]).map((one) => string(object(one)?.["display"]));
  return string(fields?.["text"]) ?? coding.find((one) => one !== undefined);
}

function distinct(notes: IncomingNote[]): IncomingNote[] {
  const seen = new Set<string>();
  return notes.filter((note) => !seen.has(note.text) && seen.add(note.text));
}

function object(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function string(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
