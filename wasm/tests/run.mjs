// Runs every test of the package. The package must be built (`npm run build`); what needs a browser or a build that is
// not there is skipped by name, and fails under `CI=true`.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { pack } from "./browser/site.mjs";

const here = import.meta.dirname;
if (!existsSync(join(here, "..", "dist", "index.js"))) {
  console.error("error: dist/ is not there\nhint: npm run build");
  process.exit(1);
}
const files = ["unit", "browser"].flatMap((folder) =>
  readdirSync(join(here, folder))
    .filter((name) => name.endsWith(".test.mjs"))
    .map((name) => join(here, folder, name)),
);
// One at a time: browsers and timings want the processor for themselves.
const words = [
  "--test",
  "--test-concurrency=1",
  "--test-force-exit",
  "--test-reporter=spec",
  ...process.argv.slice(2),
  ...files,
];
const { status } = spawnSync(process.execPath, words, {
  stdio: "inherit",
  env: { ...process.env, BERT_XML_TARBALL: pack() },
});
process.exitCode = status ?? 1;
