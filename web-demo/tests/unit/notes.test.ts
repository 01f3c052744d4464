import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decodeBase64, decodeBytes } from "../../src/notes/bytes.ts";
import { readCcda } from "../../src/notes/ccda.ts";
import { readFhir } from "../../src/notes/fhir.ts";
import { htmlToText } from "../../src/notes/narrative.ts";
import { NoteFileError } from "../../src/notes/note_file.ts";
import { readNoteFile } from "../../src/notes/read_file.ts";
import { SAMPLES } from "../../src/notes/samples.ts";

const file = (name: string): Uint8Array => readFileSync(new URL(`../files/${name}`, import.meta.url));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const rule = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof NoteFileError, String(error));
    return error.message;
  }
  return assert.fail("nothing was refused");
};

test("a text file keeps its words and gets one kind of line end", () => {
  const { notes } = readNoteFile("visit.txt", bytes("Chest pain.\r\nNo fever.\rEnd"));
  assert.deepEqual(notes, [{ title: "visit.txt", text: "Chest pain.\nNo fever.\nEnd" }]);
});

test("UTF-8, UTF-16 and Windows-1252 read the same", () => {
  const utf16 = Uint8Array.from([0xff, 0xfe, 0x63, 0, 0xe9, 0]);
  assert.equal(decodeBytes(bytes("cé")), "cé");
  assert.equal(decodeBytes(utf16), "cé");
  assert.equal(decodeBytes(Uint8Array.from([0xfe, 0xff, 0, 0x63, 0, 0xe9])), "cé");
  assert.equal(decodeBytes(Uint8Array.from([0x63, 0xe9])), "cé");
  assert.equal(decodeBytes(Uint8Array.from([0xe9]), "iso-8859-1"), "é");
});

test("base64 may be wrapped in lines, and nothing else is base64", () => {
  assert.deepEqual(decodeBase64("Z291\n dA=="), bytes("gout"));
  assert.equal(decodeBase64("gout?"), undefined);
});

test("an empty file, a PDF and a giant are refused by name and rule", () => {
  assert.equal(rule(() => readNoteFile("a.txt", bytes(" \n"))), "a.txt: is empty");
  assert.match(rule(() => readNoteFile("a.pdf", Uint8Array.from([0x25, 0, 0x46]))), /^a\.pdf: is no text/);
  assert.match(rule(() => readNoteFile("a.txt", { length: 2 ** 27 } as Uint8Array)), /larger than 64 MiB/);
});

test("a DocumentReference gives its text, its type, its patient and its encounter", () => {
  const { notes, skipped } = readNoteFile("document_reference.json", file("document_reference.json"));
  assert.deepEqual(skipped, []);
  assert.equal(notes.length, 1);
  assert.equal(notes[0]!.title, "Emergency department note, 2026-03-02");
  assert.match(notes[0]!.text, /^Emergency department note\n\nSprained right ankle/);
  assert.equal(notes[0]!.subject, "Patient/p-1");
  assert.equal(notes[0]!.encounter, "Encounter/e-1");
});

test("a Bundle gives every note once, and says what it could not read", () => {
  const { notes, skipped } = readNoteFile("bundle.json", file("bundle.json"));
  assert.deepEqual(
    notes.map(({ title }) => title),
    ["Emergency department note, 2026-03-02", "Progress note", "Discharge summary, 2026-03-05", "Chest film"],
  );
  assert.equal(notes[1]!.text, "Progress note\nSeen for hypertension & gout.\n- Lisinopril\n- Allopurinol");
  assert.equal(
    notes[2]!.text,
    "Hospital course\nTreated for cellulitis of the left leg.\n\nMedication\nNew\nDrug | Dose\nCefazolin | 2 g",
  );
  assert.equal(notes[2]!.encounter, "Encounter/e-2");
  assert.equal(notes[3]!.text, "No infiltrate. Old rib fracture.");
  assert.deepEqual(skipped, [
    {
      where: "Bundle.entry[3] (DocumentReference).content[0]",
      rule: "contentType is application/pdf: text, HTML and C-CDA are read",
    },
    {
      where: "Bundle.entry[4] (DocumentReference).content[0]",
      rule: "has only an address (url), and this page fetches nothing",
    },
  ]);
});

test("FHIR that holds no note is refused with the place and the rule", () => {
  assert.equal(rule(() => readFhir("a.json", "{")), "a.json: is not valid JSON");
  assert.match(rule(() => readFhir("a.json", "[]")), /^a\.json, resourceType: is missing/);
  assert.match(rule(() => readFhir("a.json", '{"resourceType":"Observation"}')), /is Observation: notes are read from/);
  assert.match(rule(() => readFhir("a.json", '{"resourceType":"Bundle","type":"collection"}')), /has no note in it/);
  const empty = '{"resourceType":"DocumentReference","content":[{"attachment":{"contentType":"text/plain"}}]}';
  assert.equal(rule(() => readFhir("a.json", empty)), "a.json, DocumentReference.content[0]: has no data");
});

test("a refusal never quotes the note", () => {
  const secret = "Zebrafish";
  for (const broken of [`{"text": "${secret}`, `{"resourceType":"DocumentReference","content":[{"attachment":{"data":"${secret}!"}}]}`]) {
    assert.doesNotMatch(rule(() => readFhir("a.json", broken)), /Zebrafish/);
  }
  assert.doesNotMatch(rule(() => readCcda("a.xml", `<ClinicalDocument><title>${secret}</ClinicalDocument>`)), /Zebrafish/);
});

test("a C-CDA document gives the narrative of every section, and none of its entries", () => {
  const { notes } = readNoteFile("visit.xml", file("visit.xml"));
  assert.equal(notes[0]!.title, "History and Physical (visit.xml)");
  assert.equal(
    notes[0]!.text,
    [
      "History of present illness\nThree days of dysuria & flank pain.\nNo vomiting.\nNo rash.",
      "Allergies\nSubstance | Reaction\nPenicillin | Hives",
      "Problems\n- Pyelonephritis\n- Type 2 diabetes",
    ].join("\n\n"),
  );
});

test("an unstructured C-CDA body is read when it is text, and refused when it is a PDF", () => {
  const { notes } = readNoteFile("unstructured.xml", file("unstructured.xml"));
  assert.equal(notes[0]!.text, "Dear colleague,\nyour patient has gout.");
  const pdf = decodeBytes(file("unstructured.xml")).replace("text/plain", "application/pdf");
  assert.match(rule(() => readCcda("u.xml", pdf)), /^u\.xml, nonXMLBody: its text is application\/pdf/);
});

test("XML that is no C-CDA, or not closed, is refused", () => {
  assert.match(rule(() => readCcda("a.xml", "<note>gout</note>")), /its root is <note>/);
  assert.match(rule(() => readCcda("a.xml", "gout")), /has no XML element/);
  assert.match(rule(() => readCcda("a.xml", "<ClinicalDocument><component></ClinicalDocument>")), /not well-formed XML/);
});

test("an entity of a document type is not expanded", () => {
  const bomb = `<!DOCTYPE x [<!ENTITY a "boom">]><ClinicalDocument><component><structuredBody><component><section><text>&a; gout</text></section></component></structuredBody></component></ClinicalDocument>`;
  assert.doesNotMatch(readCcda("a.xml", bomb).text, /boom/);
});

test("HTML is read as a person would, without scripts", () => {
  assert.equal(htmlToText("<p>One<br>two</p><style>p{}</style><pre>a  b</pre>"), "One\ntwo\na  b");
  assert.equal(htmlToText("<p>caf&eacute; &lt;2 mg"), "café <2 mg");
});

test("there are samples of at least eight specialties, each a note of its own", () => {
  assert.ok(new Set(SAMPLES.map(({ specialty }) => specialty)).size >= 8);
  for (const { specialty, text } of SAMPLES) {
    assert.ok(text.split(/\s+/).length > 100, `${specialty} is short`);
    assert.doesNotMatch(text, /\b[A-TV-Z]\d\d(\.\w{1,4})?\b/, `${specialty} has a code in its text`);
  }
});
