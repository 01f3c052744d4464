// The table of codes: a module of its own.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { build, missing } from "./builds.mjs";

const skip = missing("codes");
const gz = readFileSync(join(import.meta.dirname, "../../../core/data/icd10cm-2026-04.tsv.gz"));
const { CodeTable } = skip ? {} : await build("codes");
const table = skip ? undefined : new CodeTable(gz);

test("the release, and the codes by their beginning and by words", { skip }, () => {
  assert.equal(table.release, "2026-04");
  assert.ok(table.size > 90_000, `${table.size} codes`);
  const codes = (query, limit = 3) => table.search(query, limit).map(({ code }) => code);
  assert.deepEqual(codes("e11.9"), ["E11.9"]);
  assert.deepEqual(codes("A00", 9), ["A00", "A00.0", "A00.1", "A00.9"]);
  assert.equal(codes("hypertens essential", 1)[0], "I10");
  assert.deepEqual(table.search("classical cholera", 1), [
    {
      code: "A00.0",
      description: "Cholera due to Vibrio cholerae 01, biovar cholerae",
      billable: true,
      matched: "Classical cholera",
    },
  ]);
  assert.deepEqual(table.search("zzz", 5), []);
});

test("an entry, its neighbours, and what is more specific", { skip }, () => {
  const { children, excludes1, ...entry } = table.get("e11");
  assert.deepEqual(entry, {
    code: "E11",
    description: "Type 2 diabetes mellitus",
    billable: false,
    parent: null,
    block: "E08-E13",
    chapter: "4",
    inclusionTerms: [...entry.inclusionTerms],
    excludes2: [],
    chronic: entry.chronic,
  });
  assert.ok(children.includes("E11.9") && excludes1.some((text) => text.includes("type 1")));
  assert.equal(table.get("E11.9").parent, "E11");
  assert.equal(table.get("E11.9").chronic, true);
  assert.equal(table.get("Z99.999"), undefined);
  assert.throws(() => table.get("no code"), { name: "Error", code: "bad-input" });
  const below = table.moreSpecific("E11", 1000);
  assert.ok(below.length > 50 && below.every(({ code, billable }) => billable && code.startsWith("E11.")));
  assert.equal(table.moreSpecific("E11", 2).length, 2);
  assert.deepEqual(table.moreSpecific("E11.9", 5), []);
});

test("a damaged or foreign table is refused", { skip }, () => {
  assert.throws(() => new CodeTable(gz.subarray(0, 1000)), { name: "Error", code: "integrity" });
  assert.throws(() => new CodeTable(Buffer.from("code,description\n")), { name: "Error", code: "integrity" });
});
