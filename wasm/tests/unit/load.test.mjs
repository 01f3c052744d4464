import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { coderOn, countedReads, makeModel, memoryCache, packageModule } from "../fake_package.mjs";

const { IcdCoder, IcdCoderError } = await packageModule("node.js");
const { ProgressLine } = await packageModule("progress.js");

const code = (wanted) => (error) => error instanceof IcdCoderError && error.code === wanted;

function assertProgress(events, total) {
  const order = ["fetch", "verify", "compile", "warmup", "ready"];
  assert.deepEqual(events[0], { phase: "fetch", loaded: 0, total });
  assert.deepEqual(events.at(-1), { phase: "ready", loaded: total, total });
  assert.deepEqual([...new Set(events.map((event) => event.phase))], order);
  for (const [at, event] of events.entries()) {
    const before = events[Math.max(0, at - 1)];
    assert.ok(event.loaded >= before.loaded && event.loaded <= total, JSON.stringify([before, event]));
    assert.ok(order.indexOf(event.phase) >= order.indexOf(before.phase));
    assert.equal(event.total, total);
  }
}

test("a model loads, predicts and says what it is", async () => {
  const coder = await IcdCoder.load(makeModel());
  const prediction = await coder.predict("fever cough fever", { topK: 1 });
  assert.deepEqual(prediction.codes, [
    {
      code: "fever",
      system: "local",
      description: "fever",
      probability: 0.5,
      threshold: 0.4,
      assigned: true,
      evidence: [{ start: 0, end: 5, text: "fever", weight: 1 }],
    },
  ]);
  assert.equal(prediction.tokens, 3);
  assert.equal(prediction.windows, 1);
  assert.ok(prediction.elapsedMs > 0);
  assert.deepEqual(prediction.device, coder.device);
  assert.equal(coder.device.kind, "cpu");
  assert.equal(coder.manifest.card.name, "fake");
  await coder.dispose();
});

test("progress goes through its phases, never falls and ends at the total", async () => {
  const events = [];
  const coder = await IcdCoder.load(makeModel(), { onProgress: (event) => events.push(event) });
  const total = 1000 + 2000 + 3000 + 24 + 2;
  assertProgress(events, total);
  await coder.dispose();
});

test("progress counts a file that is fetched twice once", () => {
  const events = [];
  const line = new ProgressLine((event) => events.push(event));
  line.begin(10);
  line.file("a", 4);
  line.file("a", 2);
  line.file("a", 5);
  line.file("b", 9);
  line.begin(99);
  for (const phase of ["verify", "fetch", "compile", "verify", "warmup", "ready"]) {
    line.enter(phase);
  }
  assertProgress(events, 10);
});

test("a listener's own mistake does not stop the load", async () => {
  const thrown = [];
  const keep = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error.message));
  const coder = await IcdCoder.load(makeModel(), {
    onProgress: () => {
      throw new Error("mine");
    },
  });
  await coder.dispose();
  process.removeAllListeners("uncaughtException");
  keep.forEach((listener) => process.on("uncaughtException", listener));
  assert.ok(thrown.length > 0 && thrown.every((message) => message === "mine"));
});

test("the second load reads only the manifest", async () => {
  const { names, read } = countedReads();
  const Counted = coderOn({ read });
  const folder = makeModel();
  const cache = memoryCache();
  await (await Counted.load(folder, { cache })).dispose();
  assert.deepEqual(names.filter((name) => /weights|labels|tokenizer/.test(name)).length, 5);
  names.length = 0;
  const events = [];
  await (await Counted.load(folder, { cache, onProgress: (event) => events.push(event) })).dispose();
  assert.deepEqual(
    names.filter((name) => !name.endsWith(".wasm")),
    ["manifest.json"],
  );
  assertProgress(events, 6026);
});

test("without a network the model of the last visit loads", async () => {
  const cache = memoryCache();
  const folder = makeModel();
  await (await coderOn({}).load(folder, { cache })).dispose();
  const offline = async (url, options) => {
    if (url.pathname.endsWith("manifest.json")) {
      throw new IcdCoderError("network", "offline");
    }
    return countedReads().read(url, options);
  };
  const coder = await coderOn({ read: offline }).load(folder, { cache });
  assert.equal((await coder.predict("fever")).codes[0].code, "fever");
  await coder.dispose();
});

test("a damaged shard is refused by name, and nothing of it is kept", async () => {
  const folder = makeModel();
  const shard = join(folder, "weights-00001.bin");
  const bytes = readFileSync(shard);
  bytes[7] ^= 1;
  writeFileSync(shard, bytes);
  const cache = memoryCache();
  await assert.rejects(IcdCoder.load(folder, { cache }), (error) => {
    return code("integrity")(error) && error.message.includes("weights-00001.bin");
  });
  const kept = [...cache.entries.values()].map((entry) => entry.byteLength);
  assert.ok(!kept.includes(2000) && !kept.includes(3000), String(kept));
});

test("a shard of another size is refused", async () => {
  const folder = makeModel();
  writeFileSync(join(folder, "weights-00002.bin"), new Uint8Array(5));
  await assert.rejects(IcdCoder.load(folder), code("integrity"));
});

test("a damaged cache entry is fetched anew and mended", async () => {
  const folder = makeModel();
  const cache = memoryCache();
  await (await IcdCoder.load(folder, { cache })).dispose();
  const [key, bytes] = [...cache.entries].find(([, entry]) => entry.byteLength === 2000);
  const damaged = bytes.slice();
  damaged[0] ^= 1;
  cache.entries.set(key, damaged);
  const { names, read } = countedReads();
  await (await coderOn({ read }).load(folder, { cache })).dispose();
  assert.equal(names.filter((name) => name === "weights-00001.bin").length, 1);
  assert.deepEqual(cache.entries.get(key), bytes);
});

test("the files of a model that was replaced leave the cache", async () => {
  const folder = makeModel({ seed: 1 });
  const cache = memoryCache();
  await (await IcdCoder.load(folder, { cache })).dispose();
  const before = new Set(cache.entries.keys());
  makeModel({ folder, seed: 2 });
  await (await IcdCoder.load(folder, { cache })).dispose();
  const files = [...cache.entries.keys()].filter((key) => key.includes("sha256"));
  assert.equal(files.length, 5);
  assert.equal(files.filter((key) => before.has(key)).length, 2); // labels and tokenizer are the same
});

test("a cache that fails is no cache", async () => {
  const fails = async () => {
    throw new Error("quota");
  };
  const coder = await IcdCoder.load(makeModel(), { cache: { match: fails, put: fails } });
  await coder.dispose();
});

test("what is wrong with a folder has its code", async () => {
  await assert.rejects(IcdCoder.load(join(makeModel(), "nowhere")), code("not-found"));
  await assert.rejects(IcdCoder.load(makeModel({ manifest: { schema_version: 2 } })), code("model-version"));
  const folder = makeModel();
  writeFileSync(join(folder, "manifest.json"), "<!doctype html>");
  await assert.rejects(IcdCoder.load(folder), code("integrity"));
  const shards = [{ file: "../secret", bytes: 1, sha256: "0".repeat(64) }];
  await assert.rejects(IcdCoder.load(makeModel({ manifest: { shards } })), code("integrity"));
  await assert.rejects(IcdCoder.load(makeModel(), { device: "npu" }), code("bad-input"));
  await assert.rejects(IcdCoder.load(makeModel(), { device: "webgpu" }), code("webgpu-unavailable"));
  await assert.rejects(
    IcdCoder.load(makeModel(), { worker: new URL("file:///no/worker.js") }),
    code("worker"),
  );
});

test("a signal stops the load before, while fetching and while warming up", async () => {
  const folder = makeModel({ fake: { cpuMs: 50 } });
  await assert.rejects(IcdCoder.load(folder, { signal: AbortSignal.abort() }), code("aborted"));
  for (const phase of ["fetch", "verify", "warmup"]) {
    const stop = new AbortController();
    const seen = [];
    const onProgress = (event) => {
      seen.push(event.phase);
      if (event.phase === phase) {
        stop.abort("enough");
      }
    };
    await assert.rejects(IcdCoder.load(folder, { signal: stop.signal, onProgress }), (error) => {
      return code("aborted")(error) && error.cause === "enough";
    });
    assert.ok(!seen.includes("ready"));
  }
});
