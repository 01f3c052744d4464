// WebGPU against burn in f32 on the CPU, as the native engines wrote it down. SwiftShader computes in software: this
// shows that it is right, not that it is fast.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { expected, missing, notes, probabilitiesOf } from "./builds.mjs";
import { noChromium, openBuild } from "./page.mjs";

const skip = missing("webgpu") || noChromium;
assert.ok(!skip || process.env.CI !== "true", skip || "");

const short = notes.filter((_, at) => expected[at].burn);
let chromium;
let page;

before(async () => {
  if (!skip) {
    chromium = await openBuild("webgpu", { gpu: true });
    page = await chromium.newPage();
  }
});
after(() => chromium?.close());

test(`probabilities within 1e-3 of burn's f32 on ${short.length} notes`, { skip }, async () => {
  assert.ok(short.length >= 12);
  const { device, results } = await page.evaluate(
    async (texts) => {
      const coder = (window.coder = await window.load());
      const results = [];
      for (const text of texts) {
        results.push(await window.predict(coder, text, { topK: null, threshold: null, evidence: 2 }));
      }
      return { device: coder.device, results };
    },
    short.map(({ text }) => text),
  );
  assert.equal(device.kind, "webgpu");
  assert.equal(typeof device.adapter.name, "string");
  assert.equal(device.f16, false, "SwiftShader has no shader-f16");
  let worst = 0;
  for (const [at, result] of results.entries()) {
    const wanted = expected[at];
    assert.deepEqual([result.tokens, result.windows], [wanted.tokens, wanted.windows]);
    probabilitiesOf(result).forEach((probability, label) => {
      worst = Math.max(worst, Math.abs(probability - wanted.burn[label]));
    });
    for (const { start, end, text } of result.codes.flatMap(({ evidence }) => evidence)) {
      assert.equal(short[at].text.slice(start, end), text);
    }
    assert.ok(result.codes[0].evidence.length > 0);
  }
  console.log(`  largest difference: ${worst}`);
  assert.ok(worst <= 1e-3, `largest difference ${worst}`);
});

test("a second coder of the same instance shares the device", { skip }, async () => {
  const [first, second] = await page.evaluate(async (text) => {
    const other = await window.load();
    const options = { topK: 3, threshold: null, evidence: 1 };
    const both = await Promise.all(
      [window.coder, other].map((coder) => window.predict(coder, text, options)),
    );
    other.free();
    return both;
  }, short[0].text);
  assert.deepEqual(first, second);
});

test("without WebGPU, or without an adapter, the loader says so", { skip }, async () => {
  const none = "{ requestAdapter: async () => null, getPreferredCanvasFormat: () => 'rgba8unorm' }";
  for (const gpu of ["undefined", none]) {
    const bare = await chromium.newPage(
      `Object.defineProperty(Navigator.prototype, "gpu", { get: () => (${gpu}), configurable: true })`,
    );
    const code = await bare.evaluate(() =>
      window.load().then(
        () => "loaded",
        (error) => error.code,
      ),
    );
    assert.equal(code, "webgpu-unavailable", gpu);
    await bare.close();
  }
});
