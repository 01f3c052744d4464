// What the loader refuses, and what it calls it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { build, filesOf, loaderOf, missing, modelFolder, predict } from "./builds.mjs";

const skip = missing("cpu-simd");
const module = skip ? undefined : await build("cpu-simd");

/** The manifest with a change, and the id that belongs to it. */
function signed(manifest, change) {
  const value = JSON.parse(manifest);
  change(value);
  const zeros = "0".repeat(64);
  const text = JSON.stringify({ ...value, model_id: zeros }, null, 2) + "\n";
  return Buffer.from(text.replace(zeros, createHash("sha256").update(text).digest("hex")));
}

const refusal = (code, message) => (error) => {
  assert.ok(error instanceof Error);
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

test("files are listed in the order in which they are added, and the manifest is its JSON", { skip }, () => {
  const { manifest } = filesOf(modelFolder);
  const loader = new module.ModelLoader(manifest);
  assert.deepEqual(loader.manifest, JSON.parse(manifest));
  const listed = JSON.parse(manifest);
  assert.deepEqual(loader.files(), [listed.tokenizer, listed.labels.listed, ...listed.shards]);
  loader.free();
});

test("a damaged shard is refused by its name, and may be fetched again", { skip }, async () => {
  const files = filesOf(modelFolder);
  const loader = new module.ModelLoader(files.manifest);
  for (const { file } of loader.files()) {
    const damaged = Buffer.from(files[file]);
    damaged[damaged.length >> 1] ^= 1;
    assert.throws(
      () => loader.add(file, damaged),
      refusal("integrity", new RegExp(`^${file} is damaged .* sha256`)),
    );
    assert.throws(() => loader.add(file, damaged.subarray(1)), refusal("integrity", /size in bytes/));
    loader.add(file, files[file]);
  }
  assert.ok(
    (await predict(await loader.finish(), "fever", { topK: 1, threshold: null, evidence: 1 })).codes.length >
      0,
  );
});

test("swapped, missing and surplus files are refused", { skip }, async () => {
  const files = filesOf(modelFolder);
  const loader = new module.ModelLoader(files.manifest);
  const [tokenizer, labels, first, second] = loader.files().map(({ file }) => file);
  assert.throws(
    () => loader.add(labels, files[labels]),
    refusal("integrity", /labels\.tsv came where tokenizer\.json is due/),
  );
  loader.add(tokenizer, files[tokenizer]);
  loader.add(labels, files[labels]);
  assert.throws(
    () => loader.add(first, files[second]),
    refusal("integrity", new RegExp(`^${first} is damaged or another`)),
  );
  await assert.rejects(loader.finish(), refusal("integrity", new RegExp(`^${first} is missing`)));
  const whole = loaderOf(module);
  assert.throws(() => whole.add(first, files[first]), refusal("integrity", /no other file is due/));
});

test("what is no manifest, was changed, or is of a later release, is told apart", { skip }, () => {
  const { manifest } = filesOf(modelFolder);
  const load = (bytes) => new module.ModelLoader(bytes);
  assert.throws(
    () => load(Buffer.from("<!doctype html>")),
    refusal("integrity", /^manifest\.json cannot be read/),
  );
  assert.throws(() => load(Buffer.from('{"format": "other"}')), refusal("integrity", /must be "bert-xml"/));
  const changed = Buffer.from(String(manifest).replace('"threshold": 0.5', '"threshold": 0.4'));
  assert.throws(() => load(changed), refusal("integrity", /model_id/));
  const newer = signed(manifest, (value) => (value.schema_version = 2));
  assert.throws(() => load(newer), refusal("model-version", /schema_version = 2/));
  const absurd = signed(manifest, (value) => (value.config.encoder.hidden_size = 2 ** 31));
  assert.throws(() => load(absurd), refusal("integrity", /manifest\.json: /));
});

test("twenty coders one after the other take no more memory than one", { skip }, async () => {
  const memory = (await module.default()).memory;
  const once = async () => (await loaderOf(module).finish()).free();
  await once();
  const before = memory.buffer.byteLength;
  for (let times = 0; times < 20; times += 1) {
    await once();
  }
  assert.equal(memory.buffer.byteLength, before);
});
