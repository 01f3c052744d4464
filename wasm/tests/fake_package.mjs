// The built package with the fake builds in place of the generated ones, and models for them.

import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

/** A module that exports a memory of one page. */
const MEMORY = new Uint8Array([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[5, 3, 1, 0, 1], // one memory, of one page
  ...[7, 10, 1, 6, ...new TextEncoder().encode("memory"), 2, 0], // exported
]);

const root = mkdtempSync(join(tmpdir(), "bert-xml-test-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));

/** An empty folder that is removed when the process ends. */
export function temporary() {
  return mkdtempSync(join(root, "folder-"));
}

/** The package's files: its modules are imported from here. */
const dist = temporary();
cpSync(join(here, "..", "dist"), dist, { recursive: true });
writeFileSync(join(dist, "package.json"), '{ "type": "module" }');
for (const name of ["cpu", "cpu-simd", "webgpu"]) {
  mkdirSync(join(dist, "generated", name), { recursive: true });
  cpSync(join(here, "fake", "bert_xml.js"), join(dist, "generated", name, "bert_xml.js"));
  writeFileSync(join(dist, "generated", name, "bert_xml_bg.wasm"), MEMORY);
}

export { dist as packageFolder };

/** A module of the package, by its name in `dist/`. */
export const packageModule = (name) => import(pathToFileURL(join(dist, name)).href);

const { Coder } = await packageModule("coder.js");
const { node } = await packageModule("node_host.js");

/** A coder on Node's host with some of its parts replaced, such as one that offers a GPU. */
export function coderOn(parts) {
  const host = { ...node, ...parts };
  return { load: (folder, options) => Coder.load(host, folder, options) };
}

export { node };

/** Writes a model folder of three shards; `fake` says how the fake build behaves. */
export function makeModel({ folder = temporary(), seed = 1, manifest = {}, fake = {} } = {}) {
  const write = (file, content) => {
    writeFileSync(join(folder, file), content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    return { file, bytes: content.byteLength, sha256 };
  };
  const shard = (at) => write(`weights-0000${at}.bin`, new Uint8Array(1000 * (at + 1)).fill(seed * 16 + at));
  const written = {
    format: "bert-xml",
    schema_version: 1,
    model_id: createHash("sha256").update(`model ${seed}`).digest("hex"),
    card: { name: "fake" },
    labels: { listed: write("labels.tsv", Buffer.from("system\tcode\tdescription\n")) },
    tokenizer: write("tokenizer.json", Buffer.from("{}")),
    shards: [0, 1, 2].map(shard),
    fake: { cpuMs: 1, webgpuMs: 1, ...fake },
    ...manifest,
  };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(written));
  return folder;
}

/** A cache in memory, as a caller might write one; `entries` maps keys to bytes. */
export function memoryCache() {
  const entries = new Map();
  return {
    entries,
    match: async (key) => (entries.has(key) ? new Response(entries.get(key)) : undefined),
    put: async (key, response) => void entries.set(key, new Uint8Array(await response.arrayBuffer())),
    delete: async (key) => entries.delete(key),
  };
}

/** Node's way to read files, with the names that it was asked for. */
export function countedReads() {
  const names = [];
  const read = (url, options) => {
    names.push(url.pathname.split("/").at(-1));
    return node.read(url, options);
  };
  return { names, read };
}
