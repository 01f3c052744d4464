// Not a browser, but the same packed package: in Node, on the CPU.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { fixture, freshProject, wasmRoot } from "./site.mjs";

const missing = ["cpu", "cpu-simd", "codes"].filter(
  (name) => !existsSync(join(wasmRoot, "dist", "generated", name)),
);
const skip = missing.length > 0 && `not built: ${missing.join(", ")}`;
assert.ok(!skip || process.env.CI !== "true", skip || "");

const SCRIPT = `import { IcdCoder } from "bert-xml";
import { CodeTable } from "bert-xml/codes";

const coder = await IcdCoder.load("model");
const predictions = [];
for await (const prediction of coder.predictMany(JSON.parse(process.argv[2]), { topK: null })) {
  predictions.push(prediction);
}
const table = await CodeTable.load();
const hits = table.search("gout", 3);
console.log(JSON.stringify({ device: coder.device, predictions, hits, entry: table.get(hits[0].code), size: table.size }));
`;

test("the packed package works in Node, on the CPU, and the process ends by itself", { skip }, () => {
  const project = freshProject();
  cpSync(fixture, join(project, "model"), { recursive: true });
  writeFileSync(join(project, "main.js"), SCRIPT);
  const expected = JSON.parse(readFileSync(`${fixture}.json`, "utf8"));
  const notes = JSON.stringify(expected.map(({ note }) => note));
  const out = execFileSync(process.execPath, ["main.js", notes], {
    cwd: project,
    encoding: "utf8",
    timeout: 60_000,
  });
  const { device, predictions, hits, entry, size } = JSON.parse(out);
  assert.equal(device.kind, "cpu");
  assert.equal(device.simd, Number(process.versions.node.split(".")[0]) < 21 ? "simd128" : "relaxed"); // V8 11.4
  // The fixture's probabilities are of the float path; the CPU engine computes in int8.
  for (const [at, { codes }] of predictions.entries()) {
    const given = codes.map(({ probability }) => probability).sort();
    const wanted = [...expected[at].probabilities].sort();
    assert.ok(given.every((probability, label) => Math.abs(probability - wanted[label]) < 0.02));
  }
  assert.equal(hits.length, 3);
  assert.match(entry.description, /gout/i);
  assert.ok(size > 70_000);
});
