// What the browser tests stand on: projects with the packed package installed, a server with a clinic's headers, and
// Debian's Chromium.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";

import { chromium } from "playwright-core";

export const wasmRoot = join(import.meta.dirname, "..", "..");
export const fixture = join(wasmRoot, "..", "tests", "fixtures", "shipped_v1");

const root = mkdtempSync(join(tmpdir(), "bert-xml-browser-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));

/** The browser of the system, or nothing. */
export const chromiumPath = [
  process.env.CHROMIUM,
  "/usr/lib/chromium/chromium",
  "/usr/bin/chromium",
  "/usr/bin/google-chrome",
].find((path) => path && existsSync(path));

/** Why a browser test cannot run, or false. Where `CI=true` stands, it has to. */
export function skipReason(...builds) {
  const missing = builds.filter((name) => !existsSync(join(wasmRoot, "dist", "generated", name)));
  const reason = !chromiumPath
    ? "no Chromium here: set CHROMIUM, or install Debian's package chromium"
    : missing.length > 0 && `not built: ${missing.join(", ")}; run \`cargo xtask package\``;
  assert.ok(!reason || process.env.CI !== "true", reason || "");
  return reason;
}

const run = (cwd, command, ...words) =>
  execFileSync(command, words, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** An empty folder with the packed package installed, as a user would have it, and others beside it. */
export function freshProject(...others) {
  const folder = mkdtempSync(join(root, "project-"));
  const tarball = process.env.BERT_XML_TARBALL ?? pack();
  writeFileSync(join(folder, "package.json"), '{ "name": "fresh", "private": true, "type": "module" }');
  run(folder, "npm", "install", "--offline", "--no-audit", "--no-fund", tarball, ...others);
  return folder;
}

/** `npm pack` of a package's folder; of this one what `npm run build` left. */
export function pack(folder = wasmRoot) {
  const [{ filename }] = JSON.parse(run(folder, "npm", "pack", "--json", "--pack-destination", root));
  return join(root, filename);
}

/** What every project's page runs: it only puts the package where the tests can call it. */
export const MAIN = `import { IcdCoder, IcdCoderError } from "bert-xml";
import { CodeTable } from "bert-xml/codes";

window.bertXml = { IcdCoder, IcdCoderError, CodeTable };
`;

/** The headers that \`npx bert-xml headers\` prints: those of the page, and those of the worker's file. */
export function clinicHeaders(project) {
  const printed = run(project, process.execPath, "node_modules/bert-xml/dist/bin.js", "headers");
  const [page, worker] = printed.split("\n\n").map((part) =>
    Object.fromEntries(
      part
        .split("\n")
        .filter((line) => line && !line.startsWith("#"))
        .map((line) => line.split(/: (.*)/).slice(0, 2)),
    ),
  );
  return (path) => (/worker[^/]*\.js$/.test(path) ? worker : page);
}

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/**
 * Serves folders under paths. `headers(path)` adds some; `change(path, bytes)` may alter a file, or hold it back by
 * returning a promise. `requests` is what was asked for.
 */
export async function serve(folders, { headers = () => ({}), change = (_, bytes) => bytes } = {}) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    if (path === "/favicon.ico") {
      response.writeHead(204).end();
      return;
    }
    requests.push(path);
    const [prefix, folder] = Object.entries(folders).find(([start]) => path.startsWith(start)) ?? [];
    const file = folder && join(folder, normalize(path.slice(prefix.length)) || "index.html");
    const found = file && (existsSync(join(file, "index.html")) ? join(file, "index.html") : file);
    try {
      const bytes = await change(path, readFileSync(found));
      response.writeHead(200, {
        "content-type": TYPES[extname(found)] ?? "application/octet-stream",
        ...headers(path),
      });
      response.end(bytes);
    } catch {
      response.writeHead(404, { "content-type": "text/plain" }).end("not found");
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, requests, close };
}

const QUIET = [
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser; \`gpu\`: with WebGPU on SwiftShader, which computes in software. */
export function launch({ gpu = false } = {}) {
  const flags = ["--no-sandbox", ...QUIET];
  const options = gpu
    ? {
        args: [...flags, "--headless=new", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
        ignoreDefaultArgs: ["--disable-gpu", "--headless", "--enable-unsafe-swiftshader"],
      }
    : { args: flags };
  return chromium.launch({ executablePath: chromiumPath, ...options });
}

/** Workers of a page; the browser tells of their end a little later. */
export async function workersLeft(page) {
  for (let tries = 0; tries < 40 && page.workers().length > 0; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return page.workers().length;
}

/** A page, with all that it complained about and every foreign address that it asked for. */
export async function open(context, address) {
  const page = await context.newPage();
  const complaints = [];
  const foreign = [];
  page.on("console", (message) => {
    // Chromium itself says this where there is no GPU, and asks for an icon that no project here has.
    const own =
      message.text() === "No available adapters." || message.location().url.endsWith("/favicon.ico");
    if (["error", "warning"].includes(message.type()) && !own) {
      complaints.push(message.text());
    }
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(address).origin) {
      foreign.push(request.url());
    }
  });
  await page.goto(address);
  for (let tries = 0; !(await page.evaluate(() => "bertXml" in window)); tries += 1) {
    assert.ok(tries < 100, `the page of ${address} did not start: ${complaints}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { page, complaints, foreign };
}
