/**
 * C-CDA R2.1 documents (HL7 CDA R2): the narrative `text` of every section of the `structuredBody`, nested ones included,
 * under its title; or a `nonXMLBody` of text. Coded entries are left out: they are somebody's codes, not the note.
 */
import { Parser } from "htmlparser2";
import { decodeBase64, decodeBytes } from "./bytes.ts";
import { Narrative } from "./narrative.ts";
import { NoteFileError, oneLineEnd, type IncomingNote } from "./note_file.ts";

/** `cda:section` and `section` are the same element for us; the samples in the wild use both. */
function local(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

interface Body {
  mediaType: string;
  base64: boolean;
  content: string;
}

/**
 * The one note of a document, titled as it is, or by the name of the file. Throws {@link NoteFileError} for what is no
 * C-CDA, not well-formed, or without a text.
 */
export function readCcda(file: string, xml: string): IncomingNote {
  const path: string[] = [];
  const sections: string[] = [];
  let documentTitle = "";
  let sectionTitle = "";
  let narrative: Narrative | undefined;
  let narrativeDepth = 0;
  let body: Body | undefined;
  let root = "";
  let broken: string | undefined;

  const parser = new Parser(
    {
      onopentag(name, attributes) {
        const element = local(name);
        if (path.length === 0) root = element;
        const parent = path.at(-1) ?? "";
        path.push(element);
        if (narrative !== undefined) narrative.open(element);
        else if (element === "text" && parent === "section") {
          narrative = new Narrative();
          narrativeDepth = path.length;
        } else if (element === "title" && parent === "section") sectionTitle = "";
        else if (element === "text" && parent === "nonXMLBody") {
          body = {
            mediaType: attributes["mediaType"] ?? "text/plain",
            base64: attributes["representation"] === "B64",
            content: "",
          };
        }
      },
      ontext(text) {
        if (narrative !== undefined) narrative.text(text);
        else if (path.at(-1) === "title" && path.at(-2) === "section") sectionTitle += text;
        else if (path.at(-1) === "title" && path.length === 2) documentTitle += text;
        else if (body !== undefined && path.at(-2) === "nonXMLBody") body.content += text;
      },
      onclosetag(name, implied) {
        // `<x/>` counts as implied too; it ends in "/>", an element that is not closed ends elsewhere.
        const selfClosed = xml.slice(parser.endIndex - 1, parser.endIndex + 1) === "/>";
        if (implied && !selfClosed) broken ??= `the element <${local(name)}> is not closed`;
        if (narrative !== undefined && path.length === narrativeDepth) {
          const text = narrative.finish();
          const title = sectionTitle.replace(/\s+/g, " ").trim();
          if (text !== "") sections.push(title === "" ? text : `${title}\n${text}`);
          narrative = undefined;
          sectionTitle = "";
        } else if (narrative !== undefined) narrative.close(local(name));
        path.pop();
      },
    },
    { xmlMode: true, decodeEntities: true },
  );
  parser.end(xml);

  if (root !== "ClinicalDocument") {
    const rule = root === "" ? "has no XML element" : `its root is <${root}>, not <ClinicalDocument>`;
    throw new NoteFileError(file, "", `is no C-CDA document: ${rule}`);
  }
  if (broken !== undefined) throw new NoteFileError(file, "ClinicalDocument", `is not well-formed XML: ${broken}`);
  const title = documentTitle.replace(/\s+/g, " ").trim() || file;
  if (body !== undefined) return { title, text: bodyText(file, body) };
  if (sections.length === 0) throw new NoteFileError(file, "structuredBody", "has no section with a text");
  return { title, text: oneLineEnd(sections.join("\n\n")) };
}

function bodyText(file: string, body: Body): string {
  const where = "nonXMLBody";
  if (!body.mediaType.startsWith("text/")) {
    throw new NoteFileError(file, where, `its text is ${body.mediaType}: only text is read, no PDF and no image`);
  }
  if (!body.base64) return oneLineEnd(body.content.trim());
  const bytes = decodeBase64(body.content);
  if (bytes === undefined) throw new NoteFileError(file, where, "representation is B64, but the content is not base64");
  return oneLineEnd(decodeBytes(bytes).trim());
}
