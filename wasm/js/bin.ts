#!/usr/bin/env node
// `npx bert-xml`: copies the bundled model to where a page can fetch it, and prints the headers that a page needs.

import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

import { COMMON, PAGE_POLICY, WORKER_POLICY, policyText } from "./headers.mjs";

const USAGE = `Usage:
  npx bert-xml model FOLDER     copy the bundled model (package bert-xml-model) into FOLDER, every file verified
  npx bert-xml headers          print the HTTP headers under which a page keeps its notes to itself
                                (the package's README.md, "Policies", says what each one stops)`;

/** Headers of the page and of the worker's file, as lines. */
function headers(): string {
  const lines = (policy: string): string =>
    Object.entries({ "Content-Security-Policy": policy, ...COMMON })
      .map(([name, value]) => `${name}: ${value}`)
      .join("\n");
  return `# the page, and every other file\n${lines(policyText(PAGE_POLICY))}\n\n# the worker (…/worker*.js)\n${lines(WORKER_POLICY)}`;
}

interface Listed {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What the user can do something about. */
class Complaint extends Error {}

async function main([command, ...rest]: string[]): Promise<void> {
  const [folder, ...more] = rest;
  if (command === "model" && folder !== undefined && more.length === 0) {
    await copyModel(folder);
  } else if (command === "headers" && folder === undefined) {
    console.log(headers());
  } else if (command === undefined || command === "--help" || command === "help") {
    console.log(USAGE);
  } else {
    throw new Complaint(`no such command: ${[command, ...rest].join(" ")}\n${USAGE}`);
  }
}

async function copyModel(folder: string): Promise<void> {
  const source = bundledModel();
  const text = await readFile(join(source, "manifest.json"));
  const files = listedFiles(JSON.parse(text.toString("utf8")));
  const target = resolve(folder);
  await mkdir(target, { recursive: true });
  let total = text.byteLength;
  for (const { file, bytes, sha256 } of files) {
    if (!/^[\w-][\w.-]*$/.test(file)) {
      throw new Complaint(`manifest.json lists ${JSON.stringify(file)}: not a plain file name`);
    }
    const content = await readFile(join(source, file));
    if (content.byteLength !== bytes || createHash("sha256").update(content).digest("hex") !== sha256) {
      throw new Complaint(`${file} is damaged: install bert-xml-model again`);
    }
    await put(join(target, file), content);
    total += bytes;
  }
  // Last, so that a folder with a manifest is whole.
  await put(join(target, "manifest.json"), text);
  console.log(`${folder}: ${files.length + 1} files, ${(total / 1e6).toFixed(1)} MB, hashes verified`);
}

/** The folder of the companion package, as seen from the working directory or from this package. */
function bundledModel(): string {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      return dirname(createRequire(from).resolve("bert-xml-model/manifest.json"));
    } catch {
      // not installed there
    }
  }
  throw new Complaint(
    "the package bert-xml-model is not installed here\nhint: install it beside bert-xml, whose README.md says how",
  );
}

/** Every file that a manifest of format v1 lists. */
function listedFiles(manifest: {
  labels?: { listed?: Listed };
  tokenizer?: Listed;
  shards?: Listed[];
}): Listed[] {
  const files = [manifest.labels?.listed, manifest.tokenizer, ...(manifest.shards ?? [])];
  const whole = files.filter((file): file is Listed => typeof file?.sha256 === "string");
  if (whole.length !== files.length || whole.length < 3) {
    throw new Complaint("manifest.json of bert-xml-model does not list labels, tokenizer and shards");
  }
  return whole;
}

/** Writes a file whole or not at all. */
async function put(path: string, content: Uint8Array): Promise<void> {
  const part = `${path}.part`;
  try {
    await writeFile(part, content);
    await rename(part, path);
  } finally {
    await rm(part, { force: true });
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = error instanceof Complaint ? 2 : 1;
});
