// The CPU engine in wasm says what it says natively, bit for bit, with both kinds of SIMD.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import {
  bits,
  build,
  expected,
  loaderOf,
  missing,
  notes,
  predict,
  probabilitiesOf,
  relaxedWorks,
} from "./builds.mjs";
import { noChromium, openBuild } from "./page.mjs";

const ALL = { topK: null, threshold: null, evidence: 3 };

/** Compares every bit of every note. */
function compare(results) {
  assert.ok(notes.length >= 52);
  assert.ok(notes.some(({ text }) => text.split(/\s+/).length > 20_000));
  assert.equal(results.length, notes.length);
  for (const [at, { id, text }] of notes.entries()) {
    const [wanted, result] = [expected[at], results[at]];
    assert.equal(wanted.id, id);
    assert.deepEqual([result.tokens, result.windows], [wanted.tokens, wanted.windows], id);
    assert.deepEqual(probabilitiesOf(result).map(bits), wanted.probabilities, id);
    for (const [place, { code, stretches }] of wanted.evidence.entries()) {
      const found = result.codes[place];
      assert.equal(found.code, code, id);
      assert.deepEqual(
        found.evidence.map(({ start, end, weight }) => [start, end, bits(weight)]),
        stretches,
        id,
      );
    }
    for (const { start, end, text: words } of result.codes.flatMap(({ evidence }) => evidence)) {
      assert.equal(text.slice(start, end), words, id);
    }
  }
}

if (!relaxedWorks()) {
  // Node 20 has no relaxed SIMD, or one that miscalculates: a browser has it.
  const skip = missing("cpu") || noChromium;
  assert.ok(!skip || process.env.CI !== "true", skip || "");
  let chromium;
  before(async () => {
    chromium = skip ? undefined : await openBuild("cpu");
  });
  after(() => chromium?.close());

  test(`cpu: the bits of the native engine on ${notes.length} notes, in Chromium`, { skip }, async () => {
    const page = await chromium.newPage();
    const [device, results] = await page.evaluate(
      async ([texts, options]) => {
        const coder = await window.load();
        const results = [];
        for (const text of texts) {
          results.push(await window.predict(coder, text, options));
        }
        return [coder.device, results];
      },
      [notes.map(({ text }) => text), ALL],
    );
    assert.deepEqual(device, { kind: "cpu", simd: "relaxed" });
    compare(results);
  });
}

for (const [name, simd] of [["cpu-simd", "simd128"], ...(relaxedWorks() ? [["cpu", "relaxed"]] : [])]) {
  const skip = missing(name);

  test(`${name}: the bits of the native engine on ${notes.length} notes`, { skip }, async () => {
    const coder = await loaderOf(await build(name)).finish();
    assert.deepEqual(coder.device, { kind: "cpu", simd });
    const results = [];
    for (const { text } of notes) {
      results.push(await predict(coder, text, ALL));
    }
    compare(results);
    coder.free();
  });

  test(`${name}: one window after the other or all at once, stopped or not`, { skip }, async () => {
    const module = await build(name);
    const coder = await loaderOf(module).finish();
    const { text } = notes.find(({ id }) => id === "windows-many");
    const whole = await predict(coder, text, ALL);
    const stopped = coder.start(text);
    assert.equal(await stopped.step(), false);
    stopped.free();
    // Two notes at a time, turn by turn.
    const [a, b] = [coder.start(text), coder.start(notes[0].text)];
    await a.step();
    await b.step();
    assert.deepEqual(await a.finish(ALL), whole);
    assert.equal((await b.finish(ALL)).windows, 1);
    // Fewer codes, a threshold of the caller's, no evidence.
    const few = await coder
      .start(text)
      .finish({ topK: 2, threshold: whole.codes[0].probability, evidence: 0 });
    assert.deepEqual(
      few.codes.map(({ code, assigned, evidence }) => [code, assigned, evidence.length]),
      whole.codes.slice(0, 2).map(({ code }, place) => [code, place === 0, 0]),
    );
  });

  test(
    `${name}: what cannot be coded is told by its code, without a word of the note`,
    { skip },
    async () => {
      const module = await build(name);
      const coder = await loaderOf(module).finish();
      for (const note of ["", "   ", "\r\n\t", "\u0000\u200b "]) {
        assert.throws(() => coder.start(note), { name: "Error", code: "bad-input", message: /no tokens/ });
      }
      for (const options of [
        { topK: 1, threshold: 2, evidence: 1 },
        { topK: -1, threshold: null, evidence: 1 },
        { topK: 1, threshold: null },
        undefined,
      ]) {
        const refused = coder.start("canary fever").finish(options);
        await assert.rejects(
          refused,
          (error) => error.code === "bad-input" && !error.message.includes("canary"),
        );
      }
      // A lone surrogate is one unit, and stays one.
      const { codes } = await predict(coder, "fever \ud800 cough", ALL);
      assert.ok(codes[0].evidence.every(({ end }) => end <= 13));
    },
  );
}
