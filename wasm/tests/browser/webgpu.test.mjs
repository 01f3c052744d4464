// WebGPU in Chromium on SwiftShader, which computes in software: shows that it is right, not that it is fast.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import {
  clinicHeaders,
  fixture,
  freshProject,
  launch,
  open,
  serve,
  skipReason,
  workersLeft,
} from "./site.mjs";

const skip = skipReason("cpu", "webgpu");

/** Few and short: a window takes seconds in software. `tests/generated` compares more notes. */
const NOTES = ["Fever and cough.", "🫁 咳嗽 Fièvre, gout\r\n"];

let browser;
let site;
let page;

before(async () => {
  if (skip) {
    return;
  }
  const project = freshProject();
  writeFileSync(join(project, "index.html"), '<!doctype html><script type="module" src="/main.js"></script>');
  writeFileSync(
    join(project, "main.js"),
    'import { IcdCoder } from "/node_modules/bert-xml/dist/index.js";\nwindow.bertXml = { IcdCoder };\n',
  );
  site = await serve({ "/models/tiny/": fixture, "/": project }, { headers: clinicHeaders(project) });
  browser = await launch({ gpu: true });
  ({ page } = await open(await browser.newContext(), `${site.origin}/`));
});
after(async () => {
  await browser?.close();
  await site?.close();
});

test(
  "auto leaves an adapter in software alone, and does not fetch the WebGPU build",
  { skip, timeout: 170_000 },
  async () => {
    const report = await page.evaluate(async () => {
      const coder = await window.bertXml.IcdCoder.load("/models/tiny/");
      const report = coder.explainDevice();
      await coder.dispose();
      return report;
    });
    assert.equal(report.why, "software-adapter");
    assert.equal(report.device.kind, "cpu");
    assert.ok(report.adapter && report.cpuMs > 0);
    assert.ok(!site.requests.some((path) => path.includes("webgpu")));
  },
);

test(
  "WebGPU gives the CPU's probabilities; a lost GPU is taken again, then left for the CPU",
  { skip, timeout: 170_000 },
  async () => {
    const predict = (device) =>
      page.evaluate(
        async ([notes, device]) => {
          window.coder ??= {};
          const coder = await window.bertXml.IcdCoder.load("/models/tiny/", { device });
          window.coder[device] = coder;
          const found = [];
          for await (const prediction of coder.predictMany(notes, { topK: null })) {
            found.push(prediction);
          }
          return found;
        },
        [NOTES, device],
      );
    const onGpu = await predict("webgpu");
    const onCpu = await predict("cpu");
    const sorted = ({ codes }) =>
      [...codes].sort((a, b) => (a.code < b.code ? -1 : 1)).map(({ probability }) => probability);
    for (const [at, gpu] of onGpu.entries()) {
      assert.equal(gpu.device.kind, "webgpu");
      const [a, b] = [sorted(gpu), sorted(onCpu[at])];
      const worst = Math.max(...a.map((probability, label) => Math.abs(probability - b[label])));
      // The CPU engine computes in int8, WebGPU in float: the float paths are held to 1e-3 elsewhere.
      assert.ok(worst <= 0.02, `${NOTES[at]}: ${worst}`);
    }

    await page.evaluate(() => {
      window.lost = [];
      window.coder.webgpu.on("devicelost", ({ device, reason }) => window.lost.push([reason, device.kind]));
    });
    const control = await browser.newBrowserCDPSession();
    const after = [];
    for (let times = 0; times < 2; times += 1) {
      await control.send("Browser.crashGpuProcess").catch(() => {});
      await page.waitForTimeout(1000);
      after.push(await page.evaluate((note) => window.coder.webgpu.predict(note, { topK: null }), NOTES[0]));
    }
    // The second time on the CPU.
    assert.deepEqual(await page.evaluate(() => window.lost), [
      ["device-lost", "webgpu"],
      ["device-lost", "cpu"],
    ]);
    assert.deepEqual(
      after.map(({ device }) => device.kind),
      ["webgpu", "cpu"],
    );
    assert.deepEqual(after[1].codes, onCpu[0].codes);
    await page.evaluate(() => Promise.all(Object.values(window.coder).map((coder) => coder.dispose())));
    assert.equal(await workersLeft(page), 0);
  },
);
