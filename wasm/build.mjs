// Builds dist/, which is what npm ships: tsc's output, the two workers as one file each, the generated builds and the
// table of codes. `--partial` takes what of the generated builds is there.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "vite";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "dist");
const partial = process.argv.includes("--partial");

rmSync(dist, { recursive: true, force: true });
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
const compiled = spawnSync(process.execPath, [tsc, "-p", root], { stdio: "inherit" });
if (compiled.status !== 0) {
  process.exit(1);
}

// A worker without imports is a file that any bundler can copy as it stands.
for (const worker of ["worker", "node_worker"]) {
  await build({
    root,
    configFile: false,
    logLevel: "warn",
    build: {
      outDir: dist,
      emptyOutDir: false,
      minify: false,
      target: "es2022",
      lib: { entry: join(root, "js", `${worker}.ts`), formats: ["es"], fileName: () => `${worker}.js` },
      rolldownOptions: { external: [/^node:/] },
    },
  });
}
rmSync(join(dist, "engine.js"));

// The types of the public face name nothing of what lies behind it.
const face = ["index.d.ts", "codes.d.ts", "types.d.ts", "errors.d.ts", "version.d.ts"];
for (const file of readdirSync(dist).filter((file) => /\.d\.m?ts$/.test(file) && !face.includes(file))) {
  rmSync(join(dist, file));
}

for (const name of ["cpu", "cpu-simd", "webgpu", "codes"]) {
  const from = join(root, "generated", name);
  if (!existsSync(from)) {
    const message = `wasm/generated/${name} is not there: \`cargo xtask package\` makes it`;
    if (!partial) {
      throw new Error(message);
    }
    console.warn(message);
    continue;
  }
  mkdirSync(join(dist, "generated", name), { recursive: true });
  for (const file of ["bert_xml.js", "bert_xml_bg.wasm"]) {
    copyFileSync(join(from, file), join(dist, "generated", name, file));
  }
}

// The name of the table holds its hash, and stands in the source.
const table = readFileSync(join(root, "..", "core", "data", "icd10cm-2026-04.tsv.gz"));
const hash = createHash("sha256").update(table).digest("hex").slice(0, 8);
const named = `icd10cm-2026-04.${hash}.bin`;
if (!readFileSync(join(dist, "code_table.js"), "utf8").includes(`"./${named}"`)) {
  throw new Error(
    `js/code_table.ts must name the table ${named}: core/data/icd10cm-2026-04.tsv.gz has changed`,
  );
}
copyFileSync(join(root, "..", "core", "data", "icd10cm-2026-04.tsv.gz"), join(dist, named));
copyFileSync(join(root, "..", "core", "data", "NOTICE.md"), join(dist, "NOTICE.md"));
chmodSync(join(dist, "bin.js"), 0o755);

// Vite writes files of up to 4,096 bytes into the script as data: URLs, which no strict policy lets run.
for (const file of readdirSync(dist, { recursive: true })) {
  const path = join(dist, file);
  const copied = /generated|worker\.js$|\.bin$/.test(file) && statSync(path).isFile();
  if (copied && statSync(path).size <= 4096) {
    throw new Error(
      `dist/${file} has ${statSync(path).size} bytes: ${basename(file)} must have more than 4,096`,
    );
  }
}
