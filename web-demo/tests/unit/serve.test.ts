import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pagePolicy, SERVICE_WORKER_POLICY, WORKER_POLICY } from "../../headers.mjs";
import { serve, type Served } from "../../serve.mjs";

const folder = mkdtempSync(join(tmpdir(), "page-serve-"));
let site: Served;
before(async () => {
  mkdirSync(join(folder, "dist", "assets"), { recursive: true });
  mkdirSync(join(folder, "model"));
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(folder, "dist", "index.html"), "<title>page</title>");
  writeFileSync(join(folder, "dist", "sw.js"), "1");
  writeFileSync(join(folder, "dist", "assets", "worker-abcdefgh.js"), "2");
  writeFileSync(join(folder, "dist", "assets", "bert_xml_bg-abcdefgh.wasm"), "3");
  writeFileSync(join(folder, "model", "manifest.json"), "{}");
  site = await serve({ port: 0, dist: join(folder, "dist"), model: join(folder, "model") });
});
after(() => {
  site.server.closeAllConnections();
  site.server.close();
  rmSync(folder, { recursive: true });
});

/** A request as it stands: `fetch` would tidy the path. */
function raw(path: string, method = "GET"): Promise<string> {
  return new Promise((done, fail) => {
    const socket = connect((site.server.address() as AddressInfo).port, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => (text += String(data)));
    socket.on("end", () => done(text));
    socket.on("error", fail);
    socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  });
}

test("page, worker and service worker each have their own policy, and a type", async () => {
  for (const [path, policy, type] of [
    ["", pagePolicy(), "text/html; charset=utf-8"],
    ["sw.js", SERVICE_WORKER_POLICY, "text/javascript; charset=utf-8"],
    ["assets/worker-abcdefgh.js", WORKER_POLICY, "text/javascript; charset=utf-8"],
    ["assets/bert_xml_bg-abcdefgh.wasm", pagePolicy(), "application/wasm"],
    ["model/manifest.json", pagePolicy(), "application/json; charset=utf-8"],
  ] as const) {
    const response = await fetch(site.url + path);
    assert.equal(response.status, 200, path);
    assert.equal(response.headers.get("content-security-policy"), policy, path);
    assert.equal(response.headers.get("content-type"), type, path);
    assert.equal(response.headers.get("cross-origin-embedder-policy"), "require-corp");
  }
});

test("hashed files are kept for good, others are asked for again", async () => {
  assert.match((await fetch(`${site.url}assets/worker-abcdefgh.js`)).headers.get("cache-control")!, /immutable/);
  assert.equal((await fetch(site.url)).headers.get("cache-control"), "no-cache");
});

test("no path leads out of the folders, and only GET and HEAD are answered", async () => {
  for (const path of ["/../secret.txt", "/..%2fsecret.txt", "/model/../../secret.txt", "/model/..%2f..%2fsecret.txt", "/%00", "/%zz", "/nothing", "/assets"]) {
    const answer = await raw(path);
    assert.match(answer, /^HTTP\/1\.1 404 /, path);
    assert.doesNotMatch(answer, /secret$/);
    assert.match(answer, /Content-Security-Policy: /);
  }
  for (const method of ["POST", "PUT", "DELETE"]) assert.match(await raw("/", method), /^HTTP\/1\.1 405 /);
});

test("a busy port takes the next that is free", async () => {
  const { port } = site.server.address() as AddressInfo;
  const other = await serve({ port, dist: join(folder, "dist") });
  assert.ok((other.server.address() as AddressInfo).port > port);
  other.server.closeAllConnections();
  other.server.close();
});
