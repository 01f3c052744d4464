import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { makeModel, packageFolder, packageModule } from "../fake_package.mjs";

const { IcdCoder, IcdCoderError } = await packageModule("node.js");

const code = (wanted) => (error) => error instanceof IcdCoderError && error.code === wanted;

test("options are checked before anything is computed", async () => {
  const coder = await IcdCoder.load(makeModel());
  const bad = [
    { topK: 0 },
    { topK: 1.5 },
    { threshold: 2 },
    { threshold: "high" },
    { evidence: -1 },
    { evidence: "all" },
  ];
  for (const options of bad) {
    await assert.rejects(coder.predict("fever", options), code("bad-input"), JSON.stringify(options));
  }
  await assert.rejects(coder.predict(undefined), code("bad-input"));
  await assert.rejects(coder.predict(" \n\t "), code("bad-input"));
  assert.equal((await coder.predict("a b c d", { topK: null, evidence: false })).codes.length, 4);
  assert.equal(
    (await coder.predict("a b c d", { threshold: 0.3 })).codes.filter((found) => found.assigned).length,
    2,
  );
  assert.deepEqual((await coder.predict("a", { evidence: false })).codes[0].evidence, []);
  await coder.dispose();
});

test("a signal stops a prediction between two windows, and the coder goes on", async () => {
  const coder = await IcdCoder.load(makeModel({ fake: { cpuMs: 20 } }));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 70);
  const start = performance.now();
  await assert.rejects(coder.predict("LONG note", { signal: stop.signal }), code("aborted"));
  assert.ok(performance.now() - start < 300, "twenty windows of 20 ms were not waited for");
  assert.equal((await coder.predict("fever")).codes[0].code, "fever");
  await assert.rejects(coder.predict("fever", { signal: AbortSignal.abort() }), code("aborted"));
  await coder.dispose();
});

test("a note that waits for its turn can be stopped alone", async () => {
  const coder = await IcdCoder.load(makeModel({ fake: { cpuMs: 5 } }));
  const stop = new AbortController();
  const first = coder.predict("LONG first");
  const second = coder.predict("second", { signal: stop.signal });
  const third = coder.predict("third");
  stop.abort();
  await assert.rejects(second, code("aborted"));
  assert.equal((await first).windows, 20);
  assert.equal((await third).codes[0].code, "third");
  await coder.dispose();
});

test("an engine that traps is rebuilt, and what it said is not shown", async () => {
  const coder = await IcdCoder.load(makeModel());
  for (const [word, expected] of [
    ["TRAP", "trap"],
    ["TRAPLATER", "trap"],
    ["FULL", "out-of-memory"],
  ]) {
    await assert.rejects(coder.predict(`secretname ${word}`), (error) => {
      assert.ok(!`${error.message}${error.stack}${error.cause}`.includes("secretname"));
      return code(expected)(error);
    });
    assert.equal((await coder.predict("fever")).codes[0].code, "fever");
  }
  await coder.dispose();
});

test("many notes come one by one, with their index", async () => {
  const coder = await IcdCoder.load(makeModel());
  const progress = [];
  const seen = [];
  for await (const { index, codes } of coder.predictMany(["a", "b", "c"], {
    onProgress: (p) => progress.push(p),
  })) {
    seen.push([index, codes[0].code]);
  }
  assert.deepEqual(seen, [
    [0, "a"],
    [1, "b"],
    [2, "c"],
  ]);
  assert.deepEqual(
    progress,
    [1, 2, 3].map((done) => ({ done, total: 3 })),
  );

  async function* stream() {
    yield "a";
    yield "  ";
    yield "c";
  }
  const errors = [];
  const indices = [];
  for await (const { index } of coder.predictMany(stream(), {
    onError: (error, at) => errors.push([error.code, at]),
  })) {
    indices.push(index);
  }
  assert.deepEqual([indices, errors], [[0, 2], [["bad-input", 1]]]);

  await assert.rejects(drain(coder.predictMany(stream())), code("bad-input"));

  const stop = new AbortController();
  const some = [];
  const stopped = (async () => {
    for await (const { index } of coder.predictMany(["a", "b", "c"], {
      signal: stop.signal,
      onError: () => {},
    })) {
      some.push(index);
      stop.abort();
    }
  })();
  await assert.rejects(stopped, code("aborted"));
  assert.deepEqual(some, [0]);
  await coder.dispose();
});

async function drain(stream) {
  for await (const _ of stream) {
  }
}

test("a disposed coder answers so, also to what is under way", async () => {
  const coder = await IcdCoder.load(makeModel({ fake: { cpuMs: 20 } }));
  const under = coder.predict("LONG note");
  const waiting = coder.predict("next");
  const both = Promise.all([
    assert.rejects(under, code("disposed")),
    assert.rejects(waiting, code("disposed")),
  ]);
  await new Promise((resolve) => setTimeout(resolve, 30));
  await coder.dispose();
  await both;
  await assert.rejects(coder.predict("fever"), code("disposed"));
  await coder.dispose();
});

test("several coders work side by side", async () => {
  const coders = await Promise.all([1, 2, 3].map((seed) => IcdCoder.load(makeModel({ seed }))));
  const found = await Promise.all(coders.map((coder, at) => coder.predict(`note${at}`)));
  assert.deepEqual(
    found.map(({ codes }) => codes[0].code),
    ["note0", "note1", "note2"],
  );
  await coders[1].dispose();
  assert.equal((await coders[2].predict("still")).codes[0].code, "still");
  await Promise.all(coders.map((coder) => coder.dispose()));
});

test("a process ends although a coder was forgotten", () => {
  const folder = makeModel();
  const url = pathToFileURL(join(packageFolder, "node.js")).href;
  const script = `const { IcdCoder } = await import(${JSON.stringify(url)});
    const coder = await IcdCoder.load(${JSON.stringify(folder)});
    console.log((await coder.predict("fever")).codes[0].code);`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    timeout: 20_000,
    encoding: "utf8",
  });
  assert.equal(out, "fever\n");
});

test("importing the browser's entry touches no global of a browser", () => {
  const names = [
    "window",
    "document",
    "navigator",
    "location",
    "self",
    "Worker",
    "caches",
    "fetch",
    "trustedTypes",
    "localStorage",
  ];
  const script = `for (const name of ${JSON.stringify(names)}) {
      Object.defineProperty(globalThis, name, { get() { throw new Error("touched " + name); } });
    }
    for (const entry of ["index.js", "codes.js"]) {
      await import(${JSON.stringify(pathToFileURL(packageFolder).href)} + "/" + entry);
    }
    console.log("untouched");`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.equal(out, "untouched\n");
});
