import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { Row } from "../../src/coding/review.ts";
import { toCsv } from "../../src/export/csv.ts";
import type { ExportContext, ExportedNote } from "../../src/export/exported_note.ts";
import { toFhir } from "../../src/export/fhir.ts";
import { toJson } from "../../src/export/json.ts";
import { r4 } from "../fhir_schema.ts";

interface Entry {
  fullUrl: string;
  resource: Record<string, never> & { resourceType: string };
}

const context: ExportContext = {
  madeAt: "2026-11-24T12:00:00.000Z",
  model: { name: "demo", id: "ab".repeat(32) },
  release: "2026-04",
  withWords: false,
};
const row = (change: Partial<Row>): Row => ({
  code: "J18.9",
  description: 'Pneumonia, "unspecified" organism',
  suggestion: {
    code: "J18.9",
    description: "",
    probability: 0.91234,
    threshold: 0.4,
    evidence: [
      { start: 30, end: 39, text: "pneumonia", weight: 0.6 },
      { start: 3, end: 8, text: "cough", weight: 0.2 },
    ],
  },
  decision: "accepted",
  added: false,
  suggested: true,
  ...change,
});
const added = ({ suggestion: _, ...rest }: Row): Row => ({ ...rest, added: true });
const notes: ExportedNote[] = [
  { title: "=visit, 1", rows: [row({}), added(row({ code: "J18.1", insteadOf: "J18" }))] },
  { title: "two", subject: "Patient/7", encounter: "Encounter/8", rows: [row({ decision: undefined } as never)] },
  { title: "none", rows: [] },
];

test("CSV quotes commas and quotes, ends lines with CRLF and runs no formula", () => {
  const lines = toCsv(notes, context).split("\r\n");
  assert.equal(lines[0], "\uFEFFnote,code,description,probability,threshold,decision,origin,instead_of");
  assert.equal(lines[1], `"'=visit, 1",J18.9,"Pneumonia, ""unspecified"" organism",0.9123,0.4000,accepted,suggested,`);
  assert.match(lines[2]!, /,,,accepted,added,J18$/);
  assert.match(lines[3]!, /,undecided,suggested,$/);
  assert.deepEqual([lines.length, lines[4]], [5, ""]);
});

test("words of the note go out only when asked for, in the order of the note", () => {
  for (const make of [toCsv, toJson, (n: ExportedNote[], c: ExportContext) => toFhir(n, c, randomUUID)]) {
    assert.doesNotMatch(make(notes, context), /cough/);
    assert.match(make(notes, { ...context, withWords: true }), /cough.*pneumonia/s);
  }
});

test("JSON says model, release, decision and origin", () => {
  const out = JSON.parse(toJson(notes, context));
  assert.deepEqual(out.codes, { system: "ICD-10-CM", release: "2026-04" });
  assert.deepEqual(out.notes[0].codes[1], {
    code: "J18.1",
    description: 'Pneumonia, "unspecified" organism',
    decision: "accepted",
    origin: "added",
    insteadOf: "J18",
  });
});

test("FHIR is a Bundle of Conditions that the R4 schema takes", () => {
  const valid = r4();
  const bundle: { entry: Entry[] } = JSON.parse(toFhir(notes, { ...context, withWords: true }, randomUUID));
  assert.ok(valid(bundle), JSON.stringify(valid.errors));
  const types = bundle.entry.map((entry) => entry.resource.resourceType);
  assert.deepEqual(types, ["Patient", "Condition", "Condition", "Condition"]);
  for (const { resource } of bundle.entry) assert.ok(valid(resource), JSON.stringify(valid.errors));
});

test("a Condition points at its patient, and says what is confirmed", () => {
  const { entry } = JSON.parse(toFhir(notes, context, randomUUID));
  assert.equal(entry[1].resource.subject.reference, entry[0].fullUrl);
  assert.deepEqual(entry[3].resource.subject, { reference: "Patient/7" });
  assert.deepEqual(entry[3].resource.encounter, { reference: "Encounter/8" });
  const status = entry.slice(1).map((one: never) => one["resource"]["verificationStatus"]["coding"][0]["code"]);
  assert.deepEqual(status, ["confirmed", "confirmed", "provisional"]);
  assert.equal(new Set(entry.map((one: { fullUrl: string }) => one.fullUrl)).size, entry.length);
});

test("the schema refuses a Condition without a subject, so it is a test of something", () => {
  const valid = r4();
  const { entry } = JSON.parse(toFhir(notes, context, randomUUID));
  const { subject: _, ...broken } = entry[1].resource;
  assert.equal(valid(broken), false);
  assert.equal(valid({ ...entry[1].resource, probability: 0.9 }), false);
  assert.equal(valid({ ...entry[1].resource, recordedDate: "yesterday" }), false);
});

test("an export without codes is still valid FHIR", () => {
  const valid = r4();
  const bundle: { entry: Entry[] } = JSON.parse(toFhir([], context, randomUUID));
  assert.equal("entry" in bundle, false);
  assert.ok(valid(bundle), JSON.stringify(valid.errors));
});
