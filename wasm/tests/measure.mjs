// What the whole API takes in Chromium: `node tests/measure.mjs MODEL_FOLDER [--gpu]`. Sizes, first and cached start,
// milliseconds a note. Figures for the README and BENCHMARKS.md; no test, since they are of one machine.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { brotliCompressSync, constants } from "node:zlib";

import { build } from "vite";

import { freshProject, launch, open, serve } from "./browser/site.mjs";

const { values, positionals } = parseArgs({ options: { gpu: { type: "boolean" } }, allowPositionals: true });
const [model] = positionals;
if (model === undefined) {
  console.error("usage: node tests/measure.mjs MODEL_FOLDER [--gpu]");
  process.exit(2);
}

/** Written for this purpose; about a hundred tokens. */
const TEXT =
  "Follow-up of type 2 diabetes and high blood pressure, both on tablets, fair control. Cough for three days with a " +
  "low fever, no chest pain. Old fracture of the left wrist, healed. Lungs clear, heart regular, abdomen soft, no " +
  "swelling of the legs. Plan: keep the tablets, rest, blood count and kidney values today, back in two weeks. ";
const VISITS = 5;
const RUNS = 5;

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const round = (number) => Math.round(number);

const project = freshProject();
writeFileSync(join(project, "index.html"), '<!doctype html><script type="module" src="/main.js"></script>');
writeFileSync(
  join(project, "main.js"),
  'import { IcdCoder } from "bert-xml";\nwindow.bertXml = { IcdCoder };\n',
);
await build({ root: project, configFile: false, logLevel: "error" });

// Bytes as a server would send them.
const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 };
const assets = join(project, "dist", "assets");
for (const file of readdirSync(assets).sort()) {
  const bytes = readFileSync(join(assets, file));
  console.log(`${file}\t${bytes.length} bytes\t${brotliCompressSync(bytes, { params }).length} brotli`);
}

const site = await serve({ "/models/m/": resolve(model), "/": join(project, "dist") });
const browser = await launch({ gpu: values.gpu });
const context = await browser.newContext();

/** One visit: milliseconds from `load` to its phases, then of notes of several lengths. */
const visit = (page) =>
  page.evaluate(
    async ([text, runs, device]) => {
      const start = performance.now();
      const phases = {};
      const onProgress = ({ phase }) => {
        phases[phase] ??= performance.now() - start;
      };
      const coder = await window.bertXml.IcdCoder.load("/models/m/", { device, onProgress });
      const loaded = performance.now() - start;
      const notes = {};
      for (const times of [1, 5, 10]) {
        const found = [];
        for (let run = 0; run < runs; run += 1) {
          const { elapsedMs, tokens } = await coder.predict(text.repeat(times));
          found.push([elapsedMs, tokens]);
        }
        notes[found[0][1]] = found.map(([elapsedMs]) => elapsedMs);
      }
      const why = coder.explainDevice().text;
      await coder.dispose();
      return { loaded, phases, notes, why };
    },
    [TEXT, RUNS, values.gpu ? "webgpu" : "auto"],
  );

const visits = [];
for (let at = 0; at < VISITS; at += 1) {
  const { page } = await open(context, `${site.origin}/`); // a new page: nothing but the caches is left
  visits.push(await visit(page));
  await page.close();
}
await browser.close();
await site.close();

const [first, ...later] = visits;
console.log(`\n${cpus()[0].model}, ${cpus().length} cores; ${first.why}`);
console.log(
  `first start ${round(first.loaded)} ms, cached start ${round(median(later.map(({ loaded }) => loaded)))} ms (median of ${later.length})`,
);
for (const phase of ["fetch", "verify", "compile", "warmup", "ready"]) {
  console.log(`  ${phase} at ${round(median(later.map(({ phases }) => phases[phase])))} ms`);
}
for (const tokens of Object.keys(first.notes)) {
  const all = visits.flatMap(({ notes }) => notes[tokens]);
  console.log(`${tokens} tokens: ${round(median(all))} ms (median of ${all.length})`);
}
