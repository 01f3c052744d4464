import assert from "node:assert/strict";
import { test } from "node:test";

import { coderOn, countedReads, makeModel, memoryCache, node, packageModule } from "../fake_package.mjs";

const { IcdCoderError } = await packageModule("node.js");

const gpu = { adapter: async () => ({ name: "Fake GPU", software: false }) };
const fastGpu = { cpuMs: 40, webgpuMs: 1 };
const slowGpu = { cpuMs: 1, webgpuMs: 40 };

/** A host that counts which modules are compiled. */
function compiled(parts) {
  const builds = [];
  const compile = (url, signal) => {
    builds.push(
      url.pathname
        .split("/")
        .at(-2)
        .replace(/^cpu.*/, "cpu"),
    );
    return node.compile(url, signal);
  };
  return { builds, Coder: coderOn({ ...parts, compile }) };
}

test("auto keeps the faster device and says what it measured", async () => {
  for (const [fake, kind] of [
    [fastGpu, "webgpu"],
    [slowGpu, "cpu"],
  ]) {
    const { builds, Coder } = compiled(gpu);
    const coder = await Coder.load(makeModel({ fake }));
    assert.deepEqual(builds, ["cpu", "webgpu"]);
    assert.equal(coder.device.kind, kind);
    const report = coder.explainDevice();
    assert.equal(report.why, "measured");
    assert.equal(report.adapter, "Fake GPU");
    assert.ok(report.cpuMs > 0 && report.webgpuMs > 0 && report.tokens > 20);
    assert.equal(report.cpuMs > report.webgpuMs, kind === "webgpu");
    assert.ok(report.text.includes(String(report.cpuMs)) && report.text.includes(String(report.webgpuMs)));
    assert.equal((await coder.predict("fever")).device.kind, kind);
    await coder.dispose();
  }
});

test("the choice is remembered: the second visit measures nothing", async () => {
  for (const [fake, kind] of [
    [fastGpu, "webgpu"],
    [slowGpu, "cpu"],
  ]) {
    const folder = makeModel({ fake });
    const cache = memoryCache();
    const first = await coderOn(gpu).load(folder, { cache });
    const { builds, Coder } = compiled(gpu); // another visit
    const second = await Coder.load(folder, { cache });
    assert.deepEqual(
      builds,
      kind === "cpu" ? ["cpu"] : ["webgpu", "cpu"],
      "on WebGPU the CPU build stands by",
    );
    assert.equal(second.explainDevice().why, "remembered");
    assert.equal(second.explainDevice().cpuMs, first.explainDevice().cpuMs);
    await Promise.all([first.dispose(), second.dispose()]);
  }
});

test("two devices read the model's files once, without a cache too", async () => {
  const { names, read } = countedReads();
  const coder = await coderOn({ ...gpu, read }).load(makeModel({ fake: fastGpu }), { cache: false });
  assert.equal(coder.device.kind, "webgpu");
  assert.equal(names.filter((name) => name.startsWith("weights")).length, 3);
  await coder.dispose();
});

test("without an adapter, or with one in software, the WebGPU build is not fetched", async () => {
  const hosts = [
    [{ adapter: async () => undefined }, "no-adapter"],
    [{ adapter: async () => ({ name: "SwiftShader", software: true }) }, "software-adapter"],
  ];
  for (const [parts, why] of hosts) {
    const { builds, Coder } = compiled(parts);
    const coder = await Coder.load(makeModel({ fake: fastGpu }));
    assert.deepEqual(builds, ["cpu"]);
    assert.equal(coder.explainDevice().why, why);
    assert.ok(coder.explainDevice().cpuMs > 0);
    await coder.dispose();
  }
});

test("a WebGPU that fails leaves the CPU, unless it was asked for", async () => {
  const folder = makeModel({ fake: { ...fastGpu, webgpuFails: true } });
  const coder = await coderOn(gpu).load(folder);
  assert.equal(coder.device.kind, "cpu");
  assert.equal(coder.explainDevice().why, "webgpu-failed");
  await coder.dispose();
  await assert.rejects(
    coderOn(gpu).load(folder, { device: "webgpu" }),
    (error) => error instanceof IcdCoderError && error.code === "webgpu-unavailable",
  );
});

test("a remembered WebGPU that fails since then leaves the CPU", async () => {
  const cache = memoryCache();
  const folder = makeModel({ fake: fastGpu });
  await (await coderOn(gpu).load(folder, { cache })).dispose();
  makeModel({ folder, fake: { ...fastGpu, webgpuFails: true } });
  const coder = await coderOn(gpu).load(folder, { cache });
  assert.equal(coder.explainDevice().why, "webgpu-failed");
  assert.equal((await coder.predict("fever")).device.kind, "cpu");
  await coder.dispose();
});

test("a software adapter serves who asks for WebGPU", async () => {
  const Coder = coderOn({ adapter: async () => ({ name: "SwiftShader", software: true }) });
  const coder = await Coder.load(makeModel(), { device: "webgpu" });
  assert.equal(coder.device.kind, "webgpu");
  assert.equal(coder.explainDevice().why, "asked");
  await coder.dispose();
});

test("a GPU that is lost is taken once more, then left for the CPU; each time the note is coded and an event tells", async () => {
  const Coder = coderOn(gpu);
  const coder = await Coder.load(makeModel(), { device: "webgpu" });
  const events = [];
  const remove = coder.on("devicelost", (event) => events.push(event));
  const prediction = await coder.predict("LOSE fever");
  assert.deepEqual(
    events.map(({ reason, device }) => [reason, device.kind]),
    [
      ["device-lost", "webgpu"],
      ["device-lost", "cpu"],
    ],
  );
  assert.equal(prediction.device.kind, "cpu");
  assert.equal(prediction.codes[0].code, "LOSE");
  assert.equal(coder.device.kind, "cpu");
  assert.equal(coder.explainDevice().why, "device-lost");
  remove();
  assert.equal((await coder.predict("fever")).device.kind, "cpu");
  await coder.dispose();
});

test("a page that forbids itself every fetch after the load loses no coder, with a cache and without", async () => {
  for (const cache of [memoryCache(), false]) {
    let sealed = false;
    const unless =
      (what) =>
      (...words) => {
        if (sealed) {
          throw new IcdCoderError("network", "sealed");
        }
        return node[what](...words);
      };
    const parts = { onDisk: () => false, read: unless("read"), compile: unless("compile") };
    const Coder = coderOn({ ...gpu, ...parts });
    const coder = await Coder.load(makeModel(), { device: "webgpu", cache });
    sealed = true;
    assert.equal((await coder.predict("LOSE fever")).device.kind, "cpu");
    await assert.rejects(coder.predict("TRAP"), (error) => error.code === "trap");
    assert.equal((await coder.predict("fever")).codes[0].code, "fever");
    await coder.dispose();
  }
});

test("a trap on WebGPU counts as a lost GPU", async () => {
  const coder = await coderOn(gpu).load(makeModel(), { device: "webgpu" });
  const devices = [];
  coder.on("devicelost", ({ device }) => devices.push(device.kind));
  // It traps on the CPU in the end, which says so.
  await assert.rejects(coder.predict("TRAP"), (error) => error.code === "trap");
  assert.deepEqual(devices, ["webgpu", "cpu"]);
  assert.equal((await coder.predict("fever")).device.kind, "cpu");
  await coder.dispose();
});

test("a coder that is disposed of while its GPU is rebuilt leaves no worker", async () => {
  const coder = await coderOn(gpu).load(makeModel({ fake: { cpuMs: 5, webgpuMs: 5 } }), { device: "webgpu" });
  const under = coder.predict("LOSE fever");
  const refused = assert.rejects(under, (error) => error.code === "disposed");
  await new Promise((resolve) => setTimeout(resolve, 15));
  await coder.dispose();
  await refused;
});

test("a signal stops the comparison of devices and closes both", async () => {
  const stop = new AbortController();
  const onProgress = ({ phase }) => phase === "warmup" && setTimeout(() => stop.abort(), 60);
  const load = coderOn(gpu).load(makeModel({ fake: { cpuMs: 10, webgpuMs: 200 } }), {
    signal: stop.signal,
    onProgress,
  });
  await assert.rejects(load, (error) => error.code === "aborted");
});
