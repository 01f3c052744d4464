// The packed package in webpack and in Next (Turbopack and webpack), without configuration. These are fetched from the
// registry, so this is no part of `npm test`: `cargo xtask package` calls it, or `node tests/bundlers.mjs`.

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { MAIN, fixture, freshProject, launch, open, pack, serve, skipReason } from "./browser/site.mjs";

const PACKAGES = {
  webpack: ["webpack@5.112.2"],
  next: ["next@16.4.6", "react@19.3.1", "react-dom@19.3.1"],
};

const skip = skipReason("cpu", "cpu-simd", "webgpu", "codes");
if (skip) {
  console.log(`skipped: ${skip}`);
  process.exit(0);
}
process.env.BERT_XML_TARBALL ??= pack();
process.env.NEXT_TELEMETRY_DISABLED = "1";

/** Runs a package's own script with Node, so that ending the process ends all of it. */
const script = (project, path) => join(project, "node_modules", path);
const run = (project, path, ...words) => {
  const { status, stdout } = spawnSync(process.execPath, [script(project, path), ...words], {
    cwd: project,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  assert.equal(status, 0, `${path}: ${stdout}`);
};

function projectWith(packages) {
  const project = freshProject();
  execFileSync("npm", ["install", "--no-audit", "--no-fund", ...packages], {
    cwd: project,
    stdio: ["ignore", "ignore", "inherit"],
  });
  return project;
}

const browser = await launch();

/** Loads the tiny model and a table, and codes a note. */
async function check(name, address) {
  const context = await browser.newContext();
  const { page, complaints, foreign } = await open(context, address);
  const { kind, codes, hits } = await page.evaluate(async () => {
    const { IcdCoder, CodeTable } = window.bertXml;
    const coder = await IcdCoder.load("/models/tiny/");
    const { codes, device } = await coder.predict("Fever and cough, no chest pain.", { topK: 5 });
    const hits = (await CodeTable.load()).search("gout", 3);
    await coder.dispose();
    return { kind: device.kind, codes: codes.length, hits: hits.length };
  });
  assert.deepEqual({ kind, codes, hits }, { kind: "cpu", codes: 5, hits: 3 });
  assert.deepEqual(complaints, []);
  assert.deepEqual(foreign, []);
  await context.close();
  console.log(`ok ${name}`);
}

async function webpack() {
  const project = projectWith(PACKAGES.webpack);
  mkdirSync(join(project, "src"));
  writeFileSync(join(project, "src", "index.js"), MAIN);
  writeFileSync(
    join(project, "node_modules", "build.cjs"),
    `require("webpack")({ mode: "production", context: ${JSON.stringify(project)} }, (error, stats) => {
      console.log(error ?? stats.toString());
      process.exitCode = error || stats.hasErrors() ? 1 : 0;
    });`,
  );
  run(project, "build.cjs");
  writeFileSync(join(project, "dist", "index.html"), '<!doctype html><script src="/main.js"></script>');
  const site = await serve({ "/models/tiny/": fixture, "/": join(project, "dist") });
  await check("webpack", `${site.origin}/`);
  await site.close();
}

async function next() {
  const project = projectWith(PACKAGES.next);
  mkdirSync(join(project, "app"));
  cpSync(fixture, join(project, "public", "models", "tiny"), { recursive: true });
  writeFileSync(
    join(project, "app", "layout.js"),
    'export default function Layout({ children }) {\n  return <html lang="en"><body>{children}</body></html>;\n}\n',
  );
  const page = MAIN.replace("window.bertXml =", 'if (typeof window !== "undefined") window.bertXml =');
  writeFileSync(
    join(project, "app", "page.js"),
    `"use client";\n${page}\nexport default function Page() {\n  return <p>fresh</p>;\n}\n`,
  );
  for (const bundler of ["--turbopack", "--webpack"]) {
    rmSync(join(project, ".next"), { recursive: true, force: true });
    run(project, "next/dist/bin/next", "build", bundler);
    const port = await freePort();
    const words = [script(project, "next/dist/bin/next"), "start", "-p", String(port), "-H", "127.0.0.1"];
    const server = spawn(process.execPath, words, { cwd: project, stdio: "ignore", detached: true });
    try {
      await answers(`http://127.0.0.1:${port}/`);
      await check(`next ${bundler}`, `http://127.0.0.1:${port}/`);
    } finally {
      process.kill(-server.pid); // with the workers that it started
    }
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(address) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await fetch(address);
    } catch (error) {
      if (tries === 100) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

try {
  await webpack();
  await next();
} finally {
  await browser.close();
}
