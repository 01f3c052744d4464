// WebGPU against burn in f32 on the CPU, as the native engines wrote it down. SwiftShader computes in software: this
// shows that it is right, not that it is fast.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { chromiumPath, launch, serve } from "../browser/site.mjs";
import { expected, folderOf, missing, modelFolder, notes } from "./builds.mjs";

const reason = missing("webgpu") || (!chromiumPath && "no Chromium here: set CHROMIUM, or install it");
assert.ok(!reason || process.env.CI !== "true", reason || "");
const skip = reason;

const PAGE = Buffer.from(`<!doctype html><script type="module">
import init, { ModelLoader } from "/build/bert_xml.js";

const bytes = async (file) => new Uint8Array(await (await fetch("/model/" + file)).arrayBuffer());
window.load = async () => {
  await init();
  const loader = new ModelLoader(await bytes("manifest.json"));
  for (const { file } of loader.files()) loader.add(file, await bytes(file));
  return loader.finish();
};
window.ready = true;
</script>`);

const short = notes.filter((_, at) => expected[at].burn);
let browser;
let site;
let page;

before(async () => {
  if (skip) {
    return;
  }
  site = await serve({ "/build/": folderOf("webgpu"), "/model/": modelFolder });
  browser = await launch({ gpu: true });
  page = await browser.newPage();
  await page.route("**/page", (route) => route.fulfill({ contentType: "text/html", body: PAGE }));
  await page.goto(`${site.origin}/page`);
  await page.waitForFunction(() => window.ready);
});
after(async () => {
  await browser?.close();
  await site?.close();
});

test(`probabilities within 1e-3 of burn's f32 on ${short.length} notes`, { skip }, async () => {
  assert.ok(short.length >= 12);
  const { device, results } = await page.evaluate(async (texts) => {
    const coder = (window.coder = await window.load());
    const results = [];
    for (const text of texts) {
      const prediction = coder.start(text);
      while (!(await prediction.step()));
      results.push(await prediction.finish({ topK: null, threshold: null, evidence: 2 }));
    }
    return { device: coder.device, results };
  }, short.map(({ text }) => text));
  assert.equal(device.kind, "webgpu");
  assert.equal(typeof device.adapter.name, "string");
  assert.equal(device.f16, false, "SwiftShader has no shader-f16");
  let worst = 0;
  for (const [at, { tokens, windows, codes }] of results.entries()) {
    const wanted = expected[at];
    assert.deepEqual([tokens, windows], [wanted.tokens, wanted.windows]);
    const given = [...codes].sort((a, b) => (a.code < b.code ? -1 : 1)).map(({ probability }) => probability);
    given.forEach((probability, label) => (worst = Math.max(worst, Math.abs(probability - wanted.burn[label]))));
    for (const { start, end, text } of codes.flatMap(({ evidence }) => evidence)) {
      assert.equal(short[at].text.slice(start, end), text);
    }
    assert.ok(codes[0].evidence.length > 0);
  }
  console.log(`  largest difference: ${worst}`);
  assert.ok(worst <= 1e-3, `largest difference ${worst}`);
});

test("a second coder of the same instance shares the device", { skip }, async () => {
  const [first, second] = await page.evaluate(async (text) => {
    const other = await window.load();
    const options = { topK: 3, threshold: null, evidence: 1 };
    const both = await Promise.all([window.coder, other].map((coder) => coder.start(text).finish(options)));
    other.free();
    return both;
  }, short[0].text);
  assert.deepEqual(first, second);
});

test("without WebGPU, or without an adapter, the loader says so", { skip }, async () => {
  for (const gpu of ["undefined", "{ requestAdapter: async () => null, getPreferredCanvasFormat: () => 'rgba8unorm' }"]) {
    const bare = await browser.newPage();
    await bare.addInitScript(`Object.defineProperty(Navigator.prototype, "gpu", { get: () => (${gpu}) })`);
    await bare.route("**/page", (route) => route.fulfill({ contentType: "text/html", body: PAGE }));
    await bare.goto(`${site.origin}/page`);
    await bare.waitForFunction(() => window.ready);
    const code = await bare.evaluate(() => window.load().then(() => "loaded", (error) => error.code));
    assert.equal(code, "webgpu-unavailable", gpu);
    await bare.close();
  }
});
