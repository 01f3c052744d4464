// The CPU engine in wasm says what it says natively, bit for bit, with both kinds of SIMD.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { bits, build, expected, loaderOf, missing, notes, predict } from "./builds.mjs";

/** (module (func (result v128) … i8x16.relaxed_swizzle)) */
const RELAXED = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253,
  128, 2, 11,
]);
const flag = "--experimental-wasm-relaxed-simd";

for (const [name, simd] of [
  ["cpu-simd", "simd128"],
  ["cpu", "relaxed"],
]) {
  const skip = missing(name);
  if (!skip && simd === "relaxed" && !WebAssembly.validate(RELAXED)) {
    // Node 20 has relaxed SIMD behind a flag that only a process of its own can take.
    test(`${name}: in a Node with ${flag}`, () => {
      assert.ok(!process.execArgv.includes(flag), `${flag} does not give relaxed SIMD`);
      const env = { ...process.env };
      delete env.NODE_TEST_CONTEXT;
      const { status, stdout } = spawnSync(process.execPath, [flag, "--test-reporter=spec", import.meta.filename], {
        encoding: "utf8",
        env,
      });
      assert.equal(status, 0, stdout);
      assert.match(stdout, /cpu: the bits of the native engine/);
    });
    continue;
  }

  test(`${name}: the bits of the native engine on ${notes.length} notes`, { skip }, async () => {
    const module = await build(name);
    const loader = loaderOf(module);
    const coder = await loader.finish();
    assert.deepEqual(coder.device, { kind: "cpu", simd });
    assert.ok(notes.length >= 52);
    assert.ok(notes.some(({ text }) => text.split(/\s+/).length > 20_000));
    for (const [at, { id, text }] of notes.entries()) {
      const wanted = expected[at];
      assert.equal(wanted.id, id);
      const { tokens, windows, codes } = await predict(coder, text);
      assert.deepEqual([tokens, windows], [wanted.tokens, wanted.windows], id);
      const inOrder = [...codes].sort((a, b) => (a.code < b.code ? -1 : 1));
      assert.deepEqual(
        inOrder.map(({ probability }) => bits(probability)),
        wanted.probabilities,
        id,
      );
      for (const [place, { code, stretches }] of wanted.evidence.entries()) {
        assert.equal(codes[place].code, code, id);
        assert.deepEqual(
          codes[place].evidence.map(({ start, end, weight }) => [start, end, bits(weight)]),
          stretches,
          id,
        );
      }
      for (const { evidence } of codes) {
        for (const { start, end, text: words } of evidence) {
          assert.equal(text.slice(start, end), words, id);
        }
      }
    }
    coder.free();
  });

  test(`${name}: one window after the other or all at once, stopped or not`, { skip }, async () => {
    const module = await build(name);
    const coder = await loaderOf(module).finish();
    const { text } = notes.find(({ id }) => id === "windows-many");
    const whole = await predict(coder, text);
    const stopped = coder.start(text);
    assert.equal(await stopped.step(), false);
    stopped.free();
    // Two notes at a time, turn by turn.
    const [a, b] = [coder.start(text), coder.start(notes[0].text)];
    await a.step();
    await b.step();
    const options = { topK: null, threshold: null, evidence: 3 };
    assert.deepEqual(await a.finish(options), whole);
    assert.equal((await b.finish(options)).windows, 1);
    // Fewer codes, a threshold of the caller's, no evidence.
    const few = await coder.start(text).finish({ topK: 2, threshold: whole.codes[0].probability, evidence: 0 });
    assert.deepEqual(
      few.codes.map(({ code, assigned, evidence }) => [code, assigned, evidence.length]),
      whole.codes.slice(0, 2).map(({ code }, place) => [code, place === 0, 0]),
    );
  });

  test(`${name}: what cannot be coded is told by its code, without a word of the note`, { skip }, async () => {
    const module = await build(name);
    const coder = await loaderOf(module).finish();
    for (const note of ["", "   ", "\r\n\t", "\u0000\u200b "]) {
      assert.throws(() => coder.start(note), { name: "Error", code: "bad-input", message: /no tokens/ });
    }
    for (const options of [
      { topK: 1, threshold: 2, evidence: 1 },
      { topK: -1, threshold: null, evidence: 1 },
      { topK: 1, threshold: null, evidence: 1, more: 1 },
      undefined,
    ]) {
      const refused = coder.start("canary fever").finish(options);
      await assert.rejects(refused, (error) => error.code === "bad-input" && !error.message.includes("canary"));
    }
    // A lone surrogate is one unit, and stays one.
    const { codes } = await predict(coder, "fever \ud800 cough");
    assert.ok(codes[0].evidence.every(({ end }) => end <= 13));
  });
}
