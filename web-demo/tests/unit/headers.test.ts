/**
 * The blocks of PRIVACY.md for nginx and Caddy against headers.mjs: as they are written, and, where the servers are
 * installed, as they answer.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { COMMON, headersFor, PACKAGE_POLICY, PAGE_POLICY } from "../../headers.mjs";

/** One of each kind that has headers of its own, and names that come near to those. */
const PATHS = [
  "/index.html",
  "/sw.js",
  "/assets/worker-abcdefgh.js",
  "/assets/page-abcdefgh.js",
  "/assets/bert_xml_bg-abcdefgh.wasm",
  "/assets/worker-abcdefgh.wasm",
  "/assets/deeper/worker-abcdefgh.js",
  "/worker-abcdefgh.js",
  "/old/sw.js",
  "/model/manifest.json",
  "/model/weights-00000.bin",
];
const TYPES: Record<string, RegExp> = {
  "/index.html": /^text\/html\b/,
  "/sw.js": /^(text|application)\/javascript\b/,
  "/assets/worker-abcdefgh.js": /^(text|application)\/javascript\b/,
  "/assets/bert_xml_bg-abcdefgh.wasm": /^application\/wasm\b/,
};

const text = readFileSync(new URL("../../PRIVACY.md", import.meta.url), "utf8");
const [, nginx = "", caddy = ""] = ["", "nginx", "caddy"].map((name) => new RegExp(`^\`\`\`${name}\n(.*?)^\`\`\``, "ms").exec(text)?.[1]);

/** The maps of a block, by what they set. */
function maps(block: string, opening: RegExp): Map<string, [key: string, value: string][]> {
  return new Map(
    [...block.matchAll(opening)].map(({ 1: name = "", 2: body = "" }) => [
      name,
      [...body.matchAll(/^ +(\S+) "(.*)";?$/gm)].map(([, key = "", value = ""]) => [key, value]),
    ]),
  );
}

/** What a map makes of a path: the same for a whole path before an expression, or the other way round, as both servers do. */
function looked(map: [key: string, value: string][], path: string): string | undefined {
  const found = map.filter(([key]) => (key.startsWith("~") ? new RegExp(key.slice(1)).test(path) : key === path));
  assert.ok(found.length <= 1, `${path}: ${found.length} lines of a map, and the servers differ in which is first`);
  return (found[0] ?? map.find(([key]) => key === "default"))?.[1];
}

/** Holds the headers that a block gives to a path against those that headers.mjs gives. */
function compare(map: Map<string, [string, string][]>, set: [name: string, value: string][], variable: (name: string) => string): void {
  const names = set.map(([name]) => name);
  assert.deepEqual([...names].sort(), Object.keys(headersFor("/")).sort(), "each header stands once");
  for (const path of PATHS) {
    const given = set.map(([name, value]) => {
      const [by, lines] = [...map].find(([by]) => value === variable(by)) ?? [];
      return [name, by === undefined ? value : looked(lines!, path)];
    });
    assert.deepEqual(Object.fromEntries(given), headersFor(path), path);
  }
}

test("the block for nginx gives every path the headers of headers.mjs", () => {
  const set = [...nginx.matchAll(/^ *add_header (\S+) (?:"(.*)"|(\S+)) always;$/gm)].map(
    ([, name = "", quoted, bare]): [string, string] => [name, quoted ?? bare ?? ""],
  );
  assert.equal(set.length, nginx.match(/\badd_header\b/g)?.length, "every line of headers is read");
  // A `location` or an `if` with headers of its own would take all others away.
  assert.match(nginx, /\n {2}if \(.*\) \{ return 405; \}\n/);
  assert.doesNotMatch(nginx, /\blocation\b/);
  compare(maps(nginx, /^map \$uri \$(\w+) \{\n(.*?)^\}/gms), set, (name) => `$${name}`);
});

test("the block for Caddy gives every path the headers of headers.mjs", () => {
  // Of several, Caddy sorts the one without a matcher behind the others, whatever their order in the file.
  const directives = caddy.match(/^ *header\b.*$/gm) ?? [];
  assert.deepEqual(directives, ["  header {"]);
  const body = /^ {2}header \{\n(.*?)^ {2}\}/ms.exec(caddy)?.[1] ?? "";
  const set = [...body.matchAll(/^ +(\S+) "(.*)"$/gm)].map(([, name = "", value = ""]): [string, string] => [name, value]);
  assert.equal(set.length, body.trim().split("\n").length, "every line of headers is read");
  compare(maps(caddy, /^ *map \{path\} \{(\w+)\} \{\n(.*?)^ *\}/gms), set, (name) => `{${name}}`);
});

test("the page's policy is that of the package, without pictures and with one more maker of scripts", () => {
  assert.deepEqual({ ...PAGE_POLICY, "img-src": "'self'", "trusted-types": "bert-xml" }, PACKAGE_POLICY);
});

/** What starts a server with a block of PRIVACY.md, changed only in where it listens and what it serves. */
interface Server {
  name: string;
  binary: string | undefined;
  command(folder: string, dist: string, port: number): string[];
}

const installed = (name: string): string | undefined =>
  [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"].map((place) => join(place, name)).find((file) => existsSync(file));

/** Replaces what must be there. */
function put(block: string, old: string, now: string): string {
  assert.ok(block.includes(old), old);
  return block.replace(old, now);
}

const SERVERS: Server[] = [
  {
    name: "nginx",
    binary: installed("nginx"),
    command(folder, dist, port) {
      const block = put(put(nginx, "root /srv/bert-xml/dist;", `root ${dist};`), "# listen,", `listen 127.0.0.1:${port}; #`);
      const scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`);
      const own = `daemon off; master_process off; pid ${folder}/pid; error_log stderr error; events {}\n`;
      writeFileSync(join(folder, "nginx.conf"), `${own}http {\n${scratch.join("\n")}\n${block}\n}\n`);
      return ["-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")];
    },
  },
  {
    name: "caddy",
    binary: installed("caddy"),
    command(folder, dist, port) {
      const block = put(put(caddy, "/srv/bert-xml/dist", dist), "notes.example.org {", `http://127.0.0.1:${port} {`);
      writeFileSync(join(folder, "Caddyfile"), `{\n  admin off\n  auto_https off\n}\n${block}`);
      return ["run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")];
    },
  },
];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

for (const { name, binary, command } of SERVERS) {
  const skip = binary === undefined && `${name} is not installed`;
  test(`${name} with the block of PRIVACY.md answers as serve.mjs does`, { skip, timeout: 30_000 }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), `page-${name}-`));
    const dist = join(folder, "dist");
    for (const path of PATHS) {
      mkdirSync(dirname(join(dist, path)), { recursive: true });
      writeFileSync(join(dist, path), path);
    }
    const port = await freePort();
    // Whatever a server writes of its own state stays in the folder.
    const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    const server = spawn(binary!, command(folder, dist, port), { env, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    server.stderr.on("data", (data) => (said += String(data)));
    const ended = new Promise((done) => server.once("close", done));
    t.after(async () => {
      server.kill("SIGTERM");
      await ended;
      rmSync(folder, { recursive: true });
    });
    const ask = (path: string, method = "GET"): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`, { method, redirect: "manual" });
    while ((await ask("/index.html").catch(() => undefined)) === undefined) {
      assert.equal(server.exitCode, null, said);
      await sleep(50);
    }
    for (const path of ["/", ...PATHS, "/nothing.js"]) {
      const response = await ask(path);
      assert.equal(response.status, path === "/nothing.js" ? 404 : 200, path);
      for (const [header, value] of Object.entries(headersFor(path))) assert.equal(response.headers.get(header), value, `${path}: ${header}`);
      // The servers look a directory's file up under the directory's own address.
      assert.equal(response.ok ? await response.text() : path, path === "/" ? "/index.html" : path);
      if (TYPES[path] !== undefined) assert.match(response.headers.get("content-type") ?? "", TYPES[path]);
    }
    for (const method of ["POST", "PUT", "DELETE"]) {
      const response = await ask("/index.html", method);
      assert.equal(response.status, 405, method);
      for (const [header, value] of Object.entries(COMMON)) assert.equal(response.headers.get(header), value, `${method}: ${header}`);
    }
  });
}
