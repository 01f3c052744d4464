/**
 * FHIR R4: a `Bundle` of type `collection` with one `Condition` a code. Each points at the patient that the note's file
 * named, or at a `Patient` without any data that stands in for it (subject is 1..1). An accepted code is `confirmed`,
 * an undecided one `provisional` (CodeSystem condition-ver-status); the probability is in a note of the Condition, for
 * no standard element holds it.
 */
import { words, type ExportContext, type ExportedNote } from "./exported_note.ts";
import type { Row } from "../coding/review.ts";

const ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm";
const VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category";

type Resource = Record<string, unknown>;

/** The Bundle as JSON. Notes without codes leave no trace; `uuid` makes the ids of Conditions and of stand-ins for patients. */
export function toFhir(notes: ExportedNote[], context: ExportContext, uuid: () => string): string {
  const entry: { fullUrl: string; resource: Resource }[] = [];
  for (const note of notes) {
    if (note.rows.length === 0) continue;
    let subject: Resource;
    if (note.subject !== undefined) subject = { reference: note.subject };
    else {
      const id = uuid();
      entry.push({ fullUrl: `urn:uuid:${id}`, resource: { resourceType: "Patient", id } });
      subject = { reference: `urn:uuid:${id}` };
    }
    for (const row of note.rows) {
      const id = uuid();
      entry.push({ fullUrl: `urn:uuid:${id}`, resource: condition(id, subject, note, row, context) });
    }
  }
  const bundle = {
    resourceType: "Bundle",
    id: uuid(),
    type: "collection",
    timestamp: context.madeAt,
    ...(entry.length > 0 && { entry }),
  };
  return `${JSON.stringify(bundle, null, 2)}\n`;
}

function condition(id: string, subject: Resource, note: ExportedNote, row: Row, context: ExportContext): Resource {
  return {
    resourceType: "Condition",
    id,
    verificationStatus: {
      coding: [{ system: VERIFICATION, code: row.decision === "accepted" ? "confirmed" : "provisional" }],
    },
    category: [{ coding: [{ system: CATEGORY, code: "encounter-diagnosis" }] }],
    code: {
      coding: [
        {
          system: ICD_10_CM,
          version: context.release,
          code: row.code,
          display: row.description,
          userSelected: row.added || row.decision === "accepted",
        },
      ],
      text: row.description,
    },
    subject,
    ...(note.encounter !== undefined && { encounter: { reference: note.encounter } }),
    recordedDate: context.madeAt,
    note: [{ text: remark(row, context) }],
  };
}

function remark(row: Row, context: ExportContext): string {
  const { model } = context;
  const by = `${model.name} (${model.id.slice(0, 12)})`;
  const parts = [
    row.suggestion === undefined
      ? "Added by a person."
      : `Suggested by ${by} with probability ${row.suggestion.probability.toFixed(3)}.`,
  ];
  if (row.insteadOf !== undefined) parts.push(`In place of ${row.insteadOf}.`);
  const found = words(row);
  if (context.withWords && found.length > 0) parts.push(`Words of the note: ${found.join("; ")}.`);
  return parts.join(" ");
}
