// The generated builds as they stand, without the TypeScript around them, and the fixture that the native engines
// made (tests/it/wasm_fixture.rs).

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const wasmRoot = join(import.meta.dirname, "..", "..");
const fixtures = join(wasmRoot, "..", "tests", "fixtures", "wasm");

export const modelFolder = join(fixtures, "model");
export const expected = JSON.parse(readFileSync(join(fixtures, "expected.json"), "utf8"));

/** The notes, in the order of `expected`. */
export const notes = JSON.parse(readFileSync(join(fixtures, "notes.json"), "utf8")).map(
  ({ id, text, times = 1 }) => ({
    id,
    text: text.repeat(times),
  }),
);

export const folderOf = (name) => join(wasmRoot, "generated", name);

/** Why a build cannot be tested, or false. Where `CI=true` stands, it has to be there. */
export function missing(name) {
  const reason =
    !existsSync(join(folderOf(name), "bert_xml_bg.wasm")) && `no generated/${name}: cargo xtask package`;
  assert.ok(!reason || process.env.CI !== "true", reason || "");
  return reason;
}

/** Instantiates a build. */
export async function build(name) {
  const module = await import(pathToFileURL(join(folderOf(name), "bert_xml.js")).href);
  await module.default({ module_or_path: readFileSync(join(folderOf(name), "bert_xml_bg.wasm")) });
  return module;
}

/** A model's files by name. */
export function filesOf(folder) {
  const manifest = readFileSync(join(folder, "manifest.json"));
  const listed = JSON.parse(manifest);
  const names = [listed.tokenizer, listed.labels.listed, ...listed.shards].map(({ file }) => file);
  return { manifest, ...Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))])) };
}

/** A loader with all files of a model but those that `change` replaces. */
export function loaderOf({ ModelLoader }, folder = modelFolder) {
  const files = filesOf(folder);
  const loader = new ModelLoader(files.manifest);
  for (const { file } of loader.files()) {
    loader.add(file, files[file]);
  }
  return loader;
}

/** Window by window. */
export async function predict(coder, note, options) {
  const prediction = coder.start(note);
  const { windows } = prediction;
  let steps = 1;
  while (!(await prediction.step())) {
    steps += 1;
  }
  assert.equal(steps, windows, "one step a window");
  return prediction.finish(options);
}

/** The probabilities of all codes, in the order of the labels. */
export function probabilitiesOf({ codes }) {
  assert.equal(codes.length, 37);
  return [...codes].sort((a, b) => (a.code < b.code ? -1 : 1)).map(({ probability }) => probability);
}

/** (func (export "dot") (param i32 i32 i32) (result i32)): `i32x4.relaxed_dot_i8x16_i7x16_add_s` of their splats. */
const RELAXED_DOT = new Uint8Array([
  ...[
    0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 127, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 100, 111, 116,
    0, 0,
  ],
  ...[10, 22, 1, 20, 0, 32, 0, 253, 15, 32, 1, 253, 15, 32, 2, 253, 17, 253, 147, 2, 253, 27, 0, 11],
]);

/** Whether this Node has relaxed SIMD that computes rightly: V8's baseline compiler once did not. */
export function relaxedWorks() {
  return (
    WebAssembly.validate(RELAXED_DOT) &&
    new WebAssembly.Instance(new WebAssembly.Module(RELAXED_DOT)).exports.dot(-100, 127, 5) === -50_795
  );
}

/** The bits of an f32 as eight hexadecimal digits. */
export function bits(value) {
  assert.equal(Math.fround(value), value, "an f32");
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint32(0).toString(16).padStart(8, "0");
}
