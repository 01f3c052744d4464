/**
 * `npm test`: unit tests, then the page in Chromium, then the short form of the privacy proof.
 *
 *     node tests/run.mjs [unit|e2e|privacy|all] [--long] [--write] [--stand-in]
 *
 * The page is built with the real package and loads tests/fixtures/shipped_v1, a tiny model. --stand-in builds it with
 * the stand-in of tests/fake, for work on the page where the package is not built. --long is the whole privacy proof, in
 * a network namespace of its own where the system allows it; --write puts its table into PRIVACY.md. Without a Chromium the browser's part
 * is skipped by name; with CI=true that is a failure.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CHROMIUM } from "./chromium.mjs";

const room = dirname(dirname(fileURLToPath(import.meta.url)));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { long: { type: "boolean", default: false }, write: { type: "boolean", default: false }, "stand-in": { type: "boolean", default: false } },
});
const what = positionals[0] ?? "all";
const wants = (part) => what === "all" || what === part;
const out = join("tests", "out", values["stand-in"] ? "stand-in" : "page");
const env = {
  ...process.env,
  PAGE_OUT: out,
  PAGE_DIST: out,
  PAGE_MODEL: process.env.PAGE_MODEL ?? join("..", "tests", "fixtures", "shipped_v1"),
  ...(values["stand-in"] && { PAGE_FAKE: "1" }),
  ...(values.long && { PRIVACY_LONG: "1" }),
  ...(values.write && { PRIVACY_WRITE: "1" }),
};

function run(name, command, args) {
  const begun = performance.now();
  const { status, error } = spawnSync(command, args, { cwd: room, env, stdio: "inherit" });
  console.log(`${name}: ${status === 0 ? "ok" : "FAILED"}, ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  if (error !== undefined || status !== 0) process.exit(1);
}

/** A network of its own, with nothing in it but the loopback device: what gets out of the browser gets nowhere. */
const NAMESPACE = ["-rn", "sh", "-c", 'ip link set lo up && exec "$0" "$@"'];

function namespace() {
  const allowed = spawnSync("unshare", [...NAMESPACE, "true"], { stdio: "ignore" }).status === 0;
  console.log(allowed ? "network namespace: yes, loopback only" : "network namespace: not allowed here; Chromium's hosts are mapped to a sink");
  return allowed;
}

function tests(name, folder, apart = false) {
  const files = readdirSync(join(room, "tests", folder)).filter((file) => file.endsWith(".test.ts"));
  const [command, before] = apart ? ["unshare", [...NAMESPACE, process.execPath]] : [process.execPath, []];
  run(name, command, [
    ...before,
    "--import",
    "tsx",
    "--test",
    "--test-concurrency=1",
    // A test that fails with a browser open must fail, not wait for ever.
    "--test-force-exit",
    "--test-timeout=600000",
    "--test-reporter=spec",
    ...files.map((file) => join("tests", folder, file)),
  ]);
}

if (wants("unit")) {
  run("types", process.execPath, [join("node_modules", "typescript", "bin", "tsc"), "--noEmit"]);
  tests("unit", "unit");
}
if (wants("e2e") || wants("privacy")) {
  if (CHROMIUM === undefined) {
    console.log("SKIPPED: the page in a browser and the privacy proof: no Chromium (set CHROMIUM to its binary)");
    process.exit(process.env.CI === "true" ? 1 : 0);
  }
  if (!values["stand-in"] && !existsSync(join(room, "node_modules", "bert-xml", "dist", "generated"))) {
    console.log("SKIPPED: the page in a browser and the privacy proof: the package is not built (cargo xtask package)");
    process.exit(process.env.CI === "true" ? 1 : 0);
  }
  run("build", process.execPath, [join("node_modules", "vite", "bin", "vite.js"), "build", "--logLevel", "warn"]);
  if (wants("e2e")) tests("the page in Chromium", "e2e");
  if (wants("privacy")) tests("privacy", "privacy", values.long && namespace());
}
