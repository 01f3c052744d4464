import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { makeModel, packageFolder, packageModule, temporary } from "../fake_package.mjs";

const root = join(import.meta.dirname, "..", "..");

const run = (cwd, ...words) =>
  spawnSync(process.execPath, [join(packageFolder, "bin.js"), ...words], { cwd, encoding: "utf8" });

/** A project with the companion package installed. */
function project() {
  const folder = temporary();
  const model = join(folder, "node_modules", "bert-xml-model");
  mkdirSync(model, { recursive: true });
  makeModel({ folder: model });
  writeFileSync(join(model, "package.json"), '{ "name": "bert-xml-model", "version": "0.1.0" }');
  writeFileSync(join(folder, "package.json"), "{}");
  return { folder, model };
}

test("`model` copies every file of the bundled model, and a coder loads them", async () => {
  const { folder } = project();
  const { status, stdout, stderr } = run(folder, "model", "public/models/demo");
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^public\/models\/demo: 6 files, .* hashes verified\n$/);
  assert.deepEqual(readdirSync(join(folder, "public/models/demo")).sort(), [
    "labels.tsv",
    "manifest.json",
    "tokenizer.json",
    "weights-00000.bin",
    "weights-00001.bin",
    "weights-00002.bin",
  ]);
  const { IcdCoder } = await packageModule("node.js");
  await (await IcdCoder.load(join(folder, "public/models/demo"))).dispose();
});

test("`model` refuses a damaged file and leaves no manifest", () => {
  const { folder, model } = project();
  const shard = join(model, "weights-00001.bin");
  const bytes = readFileSync(shard);
  bytes[5] ^= 1;
  writeFileSync(shard, bytes);
  const { status, stderr } = run(folder, "model", "out");
  assert.equal(status, 2);
  assert.match(stderr, /weights-00001\.bin is damaged/);
  assert.ok(!readdirSync(join(folder, "out")).includes("manifest.json"));
});

test("without the companion package `model` says what to install", () => {
  const { status, stderr } = run(temporary(), "model", "out");
  assert.equal(status, 2);
  assert.match(stderr, /the package bert-xml-model is not installed here\nhint: install it beside bert-xml/);
});

test("`headers` prints what headers.mjs holds, for the page and for the worker", async () => {
  const { COMMON, PAGE_POLICY, WORKER_POLICY } = await packageModule("headers.mjs");
  const parts = run(root, "headers").stdout.trim().split("\n\n");
  const [page, worker] = parts.map((part) =>
    Object.fromEntries(
      part
        .split("\n")
        .slice(1)
        .map((line) => line.split(/: (.*)/, 2)),
    ),
  );
  const { "Content-Security-Policy": policy, ...common } = page;
  assert.deepEqual(common, COMMON);
  assert.deepEqual(Object.fromEntries(policy.split("; ").map((one) => one.split(/ (.*)/, 2))), PAGE_POLICY);
  assert.deepEqual(worker, { "Content-Security-Policy": WORKER_POLICY, ...COMMON });
});

test("the README says what each header stops", async () => {
  const { COMMON } = await packageModule("headers.mjs");
  const [, policies] = readFileSync(join(root, "README.md"), "utf8").split("\n## Policies\n");
  const [section] = policies.split("\n## ");
  for (const name of ["Content-Security-Policy", ...Object.keys(COMMON)]) {
    assert.ok(section.includes(`| \`${name}\` |`), name);
  }
});

test("anything else prints the usage", () => {
  assert.equal(run(root).status, 0);
  assert.equal(run(root, "model").status, 2);
  assert.match(run(root, "frobnicate").stderr, /no such command: frobnicate/);
});

test("the version in the code is the package's", async () => {
  const { VERSION } = await packageModule("version.js");
  assert.equal(VERSION, JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version);
});
