#!/usr/bin/env node
/**
 * Serves the built page on 127.0.0.1 with the headers that a clinic should copy, and prints its address on one line.
 *
 *     node serve.mjs [--port 8080] [--dist dist] [--model ../model]
 *
 * A busy port takes the next. The model's folder (format v1) is served at /model/. For trying out: a clinic uses its own
 * web server with the same headers (PRIVACY.md).
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { headersFor } from "./headers.mjs";

const here = dirname(fileURLToPath(import.meta.url));
/** Ports that are tried, one after the other. */
const TRIES = 50;

const TYPES = {
  ".bin": "application/octet-stream",
  ".css": "text/css; charset=utf-8",
  ".gz": "application/gzip",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".tsv": "text/tab-separated-values; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

/** A file below `root`, or undefined where there is none or the path leads out of it. */
async function inside(root, path) {
  const file = resolve(root, `.${sep}${path}`);
  if (file !== root && !file.startsWith(root + sep)) return undefined;
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? { file, size: found.size } : undefined;
}

/** Answers one request: GET and HEAD of files, nothing else. */
export async function answer(request, response, { dist, model }) {
  let path;
  try {
    path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  } catch {
    path = "/?";
  }
  if (path === "/") path = "/index.html";
  const headers = headersFor(path);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return response.writeHead(405, { ...headers, Allow: "GET, HEAD" }).end();
  }
  const found =
    path.startsWith("/model/") && model !== undefined
      ? await inside(model, path.slice("/model/".length))
      : await inside(dist, path.slice(1));
  if (found === undefined) return response.writeHead(404, headers).end();
  const type = TYPES[extname(found.file)] ?? "application/octet-stream";
  response.writeHead(200, { ...headers, "Content-Type": type, "Content-Length": found.size });
  if (request.method === "HEAD") return response.end();
  createReadStream(found.file).on("error", () => response.destroy()).pipe(response);
}

/** Starts the server; resolves with it and its address. */
export async function serve({ port = 8080, dist = join(here, "dist"), model, tries = TRIES } = {}) {
  const folders = { dist: resolve(dist), model: model === undefined ? undefined : resolve(model) };
  for (let at = 0; ; at += 1) {
    const server = createServer((request, response) => void answer(request, response, folders));
    const listening = await new Promise((done, fail) => {
      server.once("error", (error) => (error.code === "EADDRINUSE" && at + 1 < tries ? done(false) : fail(error)));
      server.listen(port === 0 ? 0 : port + at, "127.0.0.1", () => done(true));
    });
    if (listening) return { server, url: `http://127.0.0.1:${server.address().port}/` };
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "8080" },
      dist: { type: "string", default: join(here, "dist") },
      model: { type: "string", default: resolve(here, "..", "model") },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    console.error(`--port ${values.port}: a number from 0 to 65535`);
    process.exit(2);
  }
  for (const [name, file, hint] of [
    ["dist", join(values.dist, "index.html"), "build the page first: npm run build"],
    ["model", join(values.model, "manifest.json"), "name a folder in format v1: --model DIR"],
  ]) {
    if ((await stat(file).catch(() => undefined)) === undefined) {
      console.error(`--${name} ${values[name]}: has no ${name === "dist" ? "index.html" : "manifest.json"}\nhint: ${hint}`);
      process.exit(1);
    }
  }
  const { url } = await serve({ port, dist: values.dist, model: values.model });
  console.log(url);
}
