import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { pagePolicy } from "./headers.mjs";

/** The policy of the header once more in the page itself, for hosts that send none. It stands before everything else. */
function policyInPage(): Plugin {
  return {
    name: "policy-in-page",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler: (html) =>
        html.replace(
          '<meta charset="utf-8" />',
          `<meta charset="utf-8" />\n    <meta http-equiv="Content-Security-Policy" content="${pagePolicy({ meta: true })}" />`,
        ),
    },
  };
}

/** What ships with the page and asks to be named: each package's licence, in one file beside it. */
const SHIPPED = [
  "preact",
  "htmlparser2",
  "domhandler",
  "domelementtype",
  "entities",
  "@fontsource-variable/ibm-plex-sans",
  "@fontsource/ibm-plex-mono",
];

function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    generateBundle() {
      const texts = SHIPPED.map((name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim()}\n`);
      this.emitFile({ type: "asset", fileName: "licences.txt", source: texts.join(`\n${"-".repeat(72)}\n\n`) });
    },
  };
}

/** Files with a name that stays: they are checked by hash like the others, and renewed with the service worker. */
const NAMED = new Set(["index.html", "licences.txt", "manifest.webmanifest"]);

/** Fetched when first used: not every browser needs every build of the engine. */
const LATER = /\.wasm$/;

/** Writes the list of files, each with its hash, into the service worker. */
function listAssets(): Plugin {
  return {
    name: "list-assets",
    apply: "build",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const worker = bundle["sw.js"];
        if (worker?.type !== "chunk") throw new Error("the build has no sw.js");
        const content = Object.values(bundle)
          .filter((file) => file.fileName !== "sw.js" && !file.fileName.endsWith(".map"))
          .map((file) => ({ path: file.fileName, bytes: Buffer.from(file.type === "chunk" ? file.code : file.source) }));
        content.push({ path: "manifest.webmanifest", bytes: readFileSync("public/manifest.webmanifest") });
        content.sort((a, b) => (a.path < b.path ? -1 : 1));
        const digest = (bytes: Buffer | string): string => createHash("sha256").update(bytes).digest("base64");
        const assets = content.map(({ path, bytes }) => ({
          path,
          integrity: `sha256-${digest(bytes)}`,
          first: !LATER.test(path),
        }));
        for (const { path } of assets) {
          if (!NAMED.has(path) && !/-[\w-]{8}\.\w+$/.test(path)) throw new Error(`${path}: its name has no hash`);
        }
        const list = JSON.stringify(assets);
        worker.code = worker.code
          .replace("__ASSETS__", () => list)
          .replace("__VERSION__", () => JSON.stringify(digest(list).slice(0, 12)));
      },
    },
  };
}

/** Tests of the page alone put a stand-in in the package's place; what ships has none. */
const fake = process.env["PAGE_FAKE"] === "1";
const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export default defineConfig({
  base: "./",
  plugins: [policyInPage(), licences(), listAssets()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  resolve: {
    alias: fake
      ? [
          { find: /^bert-xml\/codes$/, replacement: path("tests/fake/codes.ts") },
          { find: /^bert-xml$/, replacement: path("tests/fake/bert_xml.ts") },
        ]
      : [],
  },
  worker: { format: "es" },
  build: {
    target: "es2023",
    outDir: process.env["PAGE_OUT"] ?? "dist",
    emptyOutDir: true,
    // No data: URL and no inline script: the policy allows neither.
    assetsInlineLimit: 0,
    modulePreload: false,
    rollupOptions: {
      input: { page: path("index.html"), sw: path("src/offline/sw.ts") },
      output: {
        entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js"),
      },
    },
  },
});
