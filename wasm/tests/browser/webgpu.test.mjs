// WebGPU in Chromium on SwiftShader, which computes in software: shows that it is right, not that it is fast.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
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

/** Short notes, among them what a tokenizer may stumble over. */
const NOTES = [
  ...JSON.parse(readFileSync(`${fixture}.json`, "utf8")).map(({ note }) => note),
  "fever",
  "Cough and fever, no chest pain.",
  "diabetes; high blood pressure",
  "Gout of the left leg.\r\nTablet daily.",
  "Fièvre, café, naïve.",
  "咳嗽 fever 发烧",
  "🫁 cough 👩🏽‍⚕️",
  "HIGH BLOOD PRESSURE",
  "a b c d e f g h i j k l m n o p q r s t u v w x y z",
  "Old man, 87, with a stroke 3 days ago?!",
];

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
  { skip, timeout: 60_000 },
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
  { skip, timeout: 60_000 },
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
    for (let times = 0; times < 2; times += 1) {
      await control.send("Browser.crashGpuProcess").catch(() => {});
      await page.waitForTimeout(1500);
      const { codes } = await page.evaluate(
        (note) => window.coder.webgpu.predict(note, { topK: null }),
        NOTES[0],
      );
      assert.equal(codes.length, 12);
    }
    const lost = await page.evaluate(() => window.lost);
    assert.ok(lost.length >= 1, "an event told of the loss");
    assert.equal(await page.evaluate(() => window.coder.webgpu.device.kind), lost.at(-1)[1]);
    await page.evaluate(() => Promise.all(Object.values(window.coder).map((coder) => coder.dispose())));
    assert.equal(await workersLeft(page), 0);
  },
);
