import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { packageFolder, temporary } from "../fake_package.mjs";

const root = join(import.meta.dirname, "..", "..");
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");

/** A program of a user, with every option that the README names. */
const PROGRAM = `import { IcdCoder, IcdCoderError, type CodePrediction, type Device, type Progress } from "bert-xml";
import { CodeTable, type CodeEntry } from "bert-xml/codes";

export async function story(notes: AsyncIterable<string>, signal: AbortSignal | undefined): Promise<CodePrediction[]> {
  const coder: IcdCoder = await IcdCoder.load(new URL("https://clinic.example/models/demo/"), {
    device: "auto",
    onProgress: ({ phase, loaded, total }: Progress) => console.log(phase === "warmup", loaded / total),
    signal,
    cache: { match: async () => undefined, put: async () => {} },
  });
  const stop = coder.on("devicelost", ({ reason, device }) => console.log(reason, device.kind));
  const found: CodePrediction[] = [];
  try {
    const { codes } = await coder.predict("note", { topK: null, threshold: "tuned", evidence: true, signal });
    found.push(...codes);
    for await (const { index, codes } of coder.predictMany(notes, { onProgress: ({ done, total }) => console.log(done, total) })) {
      console.log(index, codes[0]?.evidence[0]?.start);
    }
  } catch (error) {
    if (error instanceof IcdCoderError && error.code === "out-of-memory") {
      console.log(error.message);
    }
  }
  const device: Device = coder.device;
  console.log(device.kind === "cpu" ? device.simd : device.adapter.vendor, coder.manifest.card.name, coder.explainDevice().cpuMs);
  stop();
  await coder.dispose();
  const table: CodeTable = await CodeTable.load({ signal });
  const entry: CodeEntry | undefined = table.get("E11.9");
  console.log(entry?.children, table.search("gout", 3)[0]?.matched, table.moreSpecific("E11", 5).length);
  // @ts-expect-error no such device
  await IcdCoder.load("/models/demo/", { device: "npu" });
  return found;
}
`;

/** What only a browser has. */
const BROWSER = `import { IcdCoder } from "bert-xml";

export const own = (worker: Worker) => IcdCoder.load("/models/demo/", { worker });
export const byUrl = (worker: URL) => IcdCoder.load("/models/demo/", { worker });
export const kept = async () => IcdCoder.load("/models/demo/", { cache: await caches.open("own") });
`;

test("the types fit a browser's program and one of Node, in the strictest setting", () => {
  const project = temporary();
  const installed = join(project, "node_modules", "bert-xml");
  mkdirSync(join(installed, "dist"), { recursive: true });
  mkdirSync(join(project, "node_modules", "@types"));
  cpSync(packageFolder, join(installed, "dist"), { recursive: true });
  cpSync(join(root, "package.json"), join(installed, "package.json"));
  symlinkSync(join(root, "node_modules", "@types", "node"), join(project, "node_modules", "@types", "node"));
  symlinkSync(join(root, "node_modules", "undici-types"), join(project, "node_modules", "undici-types"));
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
  writeFileSync(join(project, "program.ts"), PROGRAM);
  writeFileSync(join(project, "browser.ts"), BROWSER);
  const strict = [
    "--noEmit",
    "--strict",
    "--exactOptionalPropertyTypes",
    "--noUncheckedIndexedAccess",
    "--target",
    "es2022",
  ];
  const settings = {
    browser: [
      "--module",
      "esnext",
      "--moduleResolution",
      "bundler",
      "--lib",
      "es2022,dom",
      "--types",
      "",
      "browser.ts",
    ],
    node: ["--module", "nodenext", "--lib", "es2022", "--types", "node"],
  };
  for (const [name, setting] of Object.entries(settings)) {
    const { status, stdout } = spawnSync(process.execPath, [tsc, ...strict, ...setting, "program.ts"], {
      cwd: project,
      encoding: "utf8",
    });
    assert.equal(status, 0, `${name}: ${stdout}`);
  }
});
