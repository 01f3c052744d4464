import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { build, createServer as createVite } from "vite";

import {
  MAIN,
  clinicHeaders,
  fixture,
  freshProject,
  launch,
  open,
  pack,
  serve,
  skipReason,
  wasmRoot,
} from "./site.mjs";

const skip = skipReason("cpu", "codes");
const expected = JSON.parse(readFileSync(`${fixture}.json`, "utf8"));

let browser;
before(async () => {
  browser = skip ? undefined : await launch();
});
after(() => browser?.close());

const HTML =
  '<!doctype html><html lang="en"><title>fresh</title><script type="module" src="/main.js"></script></html>';

/** A fresh project whose page is written by the README's words. */
function viteProject() {
  const folder = freshProject();
  writeFileSync(join(folder, "index.html"), HTML);
  writeFileSync(join(folder, "main.js"), MAIN);
  return folder;
}

/** Loads the tiny model, codes its notes, and looks a code up. */
async function story(page) {
  return page.evaluate(
    async (notes) => {
      const { IcdCoder, CodeTable } = window.bertXml;
      const progress = [];
      const coder = await IcdCoder.load("/models/tiny/", { onProgress: (event) => progress.push(event) });
      const table = await CodeTable.load();
      // What a clinic's page does once everything is loaded.
      const seal = document.createElement("meta");
      seal.httpEquiv = "Content-Security-Policy";
      seal.content = "default-src 'none'; script-src 'wasm-unsafe-eval'; worker-src 'self'";
      document.head.append(seal);
      const predictions = [];
      for await (const prediction of coder.predictMany(notes, { topK: null })) {
        predictions.push(prediction);
      }
      const { device, manifest } = coder;
      const found = table.search("type 2 diabetes", 5);
      const report = coder.explainDevice();
      await coder.dispose();
      return {
        progress,
        predictions,
        device,
        name: manifest.card.name,
        found,
        release: table.release,
        report,
      };
    },
    expected.map(({ note }) => note),
  );
}

function assertStory({ progress, predictions, device, name, found, release, report }) {
  assert.equal(name, "golden");
  assert.equal(device.kind, "cpu");
  assert.equal(device.simd, "relaxed"); // which Chromium has since 114
  assert.equal(report.why, "no-adapter");
  assert.ok(report.cpuMs > 0);
  const labels = readFileSync(join(fixture, "labels.tsv"), "utf8").trim().split("\n").slice(1);
  for (const [at, { codes, windows, tokens, elapsedMs }] of predictions.entries()) {
    const { note, probabilities } = expected[at];
    assert.ok(windows >= 1 && tokens > 3 && elapsedMs > 0);
    assert.equal(codes.length, labels.length);
    for (const { code, probability, assigned, threshold, evidence } of codes) {
      const label = labels.findIndex((line) => line.split("\t")[1] === code);
      // The fixture's are of the float path; the CPU engine computes in int8.
      assert.ok(
        Math.abs(probability - probabilities[label]) < 0.02,
        `${code}: ${probability}, ${probabilities[label]}`,
      );
      assert.equal(assigned, probability >= threshold);
      for (const { start, end, text } of evidence) {
        assert.equal(note.slice(start, end), text);
      }
    }
    assert.ok(codes.some(({ evidence }) => evidence.length > 0));
  }
  const order = ["fetch", "verify", "compile", "warmup", "ready"];
  assert.deepEqual([...new Set(progress.map(({ phase }) => phase))], order);
  assert.ok(progress.every(({ loaded }, at) => at === 0 || loaded >= progress[at - 1].loaded));
  assert.equal(progress.at(-1).loaded, progress.at(-1).total);
  assert.ok(
    found.some(({ code }) => code.startsWith("E11")),
    JSON.stringify(found),
  );
  assert.match(release, /^\d{4}-\d{2}$/);
}

test(
  "a fresh Vite project, built, under the strict policy with trusted types",
  { skip, timeout: 60_000 },
  async (t) => {
    const project = viteProject();
    await build({ root: project, configFile: false, logLevel: "error" });
    const site = await serve(
      { "/models/tiny/": fixture, "/": join(project, "dist") },
      { headers: clinicHeaders(project) },
    );
    t.after(() => site.close());
    const { page, complaints, foreign } = await open(await browser.newContext(), `${site.origin}/`);
    assertStory(await story(page));
    assert.deepEqual(complaints, []);
    assert.deepEqual(foreign, []);
    assert.ok(!site.requests.some((path) => path.includes("webgpu")), "the WebGPU build was not fetched");
  },
);

test("a fresh Vite project in development", { skip, timeout: 60_000 }, async (t) => {
  const project = viteProject();
  const vite = await createVite({
    root: project,
    configFile: false,
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0 },
  });
  t.after(() => vite.close());
  vite.middlewares.stack.unshift({
    route: "/models/tiny",
    handle: (request, response) => response.end(readFileSync(join(fixture, request.url.split("?")[0]))),
  });
  await vite.listen();
  const { page, complaints } = await open(await browser.newContext(), vite.resolvedUrls.local[0]);
  const found = await page.evaluate(async () => {
    const coder = await window.bertXml.IcdCoder.load("/models/tiny/");
    const { codes } = await coder.predict("Fall at home, broken arm.", { topK: 3 });
    const table = await window.bertXml.CodeTable.load();
    return { codes: codes.length, hits: table.search("gout", 3).length };
  });
  assert.deepEqual(found, { codes: 3, hits: 3 });
  assert.deepEqual(complaints, []);
});

test("the README's lines work from an empty folder", { skip, timeout: 60_000 }, async (t) => {
  const readme = readFileSync(join(wasmRoot, "README.md"), "utf8");
  const [html] = /(?<=```html\n)[^`]*`[^]*?(?=```)/.exec(readme);
  // The bundled model as it ships, beside the package.
  const companion = join(wasmRoot, "..", "model");
  const project = freshProject(pack(companion));
  for (const folder of [wasmRoot, companion]) {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    assert.ok(readme.includes(`CHECKOUT/${name}-${version}.tgz`), `the README installs ${name} ${version}`);
  }
  writeFileSync(join(project, "index.html"), html);
  const said = execFileSync("npx", ["bert-xml", "model", "public/models/demo"], {
    cwd: project,
    encoding: "utf8",
  });
  const { shards } = JSON.parse(readFileSync(join(companion, "manifest.json"), "utf8"));
  assert.match(said, new RegExp(`: ${shards.length + 3} files, .* hashes verified`));
  const vite = await createVite({
    root: project,
    configFile: false,
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0 },
  });
  t.after(() => vite.close());
  await vite.listen();
  const page = await browser.newPage();
  const logged = [];
  page.on("console", (message) => logged.push(message.text()));
  await page.goto(vite.resolvedUrls.local[0]);
  for (let tries = 0; !logged.some((text) => text.startsWith("CPU: ")); tries += 1) {
    assert.ok(tries < 200, String(logged));
    await page.waitForTimeout(50);
  }
  const lines = (await page.evaluate(() => document.body.textContent)).trim().split("\n");
  assert.ok(
    lines.some((line) => /^E11\.\w+ Type 2 diabetes .*: 0\.\d\d, .*diabetes/.test(line)),
    String(lines),
  );
  assert.ok(logged.some((text) => /^ready \d+ of \d+$/.test(text)));
});

test(
  "plain ES modules from a static server, under the strict policy with trusted types",
  { skip, timeout: 60_000 },
  async (t) => {
    const project = freshProject();
    writeFileSync(join(project, "index.html"), HTML);
    const plain = (name) => `/node_modules/bert-xml/dist/${name}.js`;
    writeFileSync(
      join(project, "main.js"),
      MAIN.replace('"bert-xml"', `"${plain("index")}"`).replace('"bert-xml/codes"', `"${plain("codes")}"`),
    );
    const site = await serve({ "/models/tiny/": fixture, "/": project }, { headers: clinicHeaders(project) });
    t.after(() => site.close());
    const { page, complaints, foreign } = await open(await browser.newContext(), `${site.origin}/`);
    assertStory(await story(page));
    assert.deepEqual(complaints, []);
    assert.deepEqual(foreign, []);
  },
);
