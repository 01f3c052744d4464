// The CPU engine in headless Chromium beside ONNX Runtime Web, or transformers.js with `--peer transformers`: one thread
// each, the same shapes and tokens, by turns.
//
//   cargo xtask package                                               (the generated builds of wasm/)
//   bert-xml bench model --precision int8 --out WORK/int8             (and f32: random weights)
//   python3 ../onnx_peer.py --work WORK/onnx < /dev/null              (the same graph, random weights)
//   npm ci                                                            (and in transformers/ for that peer)
//   node bench.mjs --build api=../../../wasm/dist --build relaxed=../../../wasm/generated/cpu --work WORK --json result.json
//
// A build's folder is that of the package (with index.js: timed through `IcdCoder` in the page, with its own worker) or a
// generated build (with bert_xml.js: timed bare, in a worker of this bench).
// A row for each build, precision and length: medians of wall time, CPU time of the renderer (which a busy machine
// changes less), their ratios ours over the peer's, and the greatest resident memory of both renderers. Ours is timed
// from the text to codes with evidence, ONNX Runtime Web from token ids to logits and attention, transformers.js from the
// text to those. Needs Linux.

import { createServer } from "node:http";
import { createReadStream, existsSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname, extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Browser } from "./browser.mjs";
import { DTYPES, writeModel } from "./transformers/model.mjs";

const GRAPH = "small_2292"; // what onnx_peer.py calls its files
const HERE = dirname(fileURLToPath(import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };

const { values: options } = parseArgs({
  options: {
    build: { type: "string", multiple: true },
    work: { type: "string" },
    precision: { type: "string", default: "int8,f32" },
    tokens: { type: "string", default: "128,512,1024" },
    rounds: { type: "string", default: "7" },
    "warm-up": { type: "string", default: "2" }, // rounds before those of each length; more where V8 is long at compiling
    peer: { type: "string", default: "onnx" },
    chromium: { type: "string", default: "/usr/lib/chromium/chromium" },
    json: { type: "string" },
  },
});
if (!options.build || !options.work) throw new Error("--build NAME=DIR and --work DIR are needed");
const builds = options.build.map((build) => build.split("="));
/** What of a folder is timed, and how the page loads it. */
const FACES = [
  { file: "index.js", through: "IcdCoder", page: "page.html?module=api.mjs" },
  { file: "bert_xml.js", through: "generated build", page: "page.html?worker=ours.mjs" },
];
const faces = new Map(
  builds.map(([name, folder]) => {
    const face = FACES.find(({ file }) => folder !== undefined && existsSync(join(folder, file)));
    if (!face) throw new Error(`--build ${name}=${folder}: neither wasm/dist nor a generated build is there`);
    return [name, face];
  }),
);
const warmUp = Number(options["warm-up"]);
const [rounds, tokens, precisions] = [Number(options.rounds), options.tokens.split(",").map(Number), options.precision.split(",")];

const PEERS = {
  onnx: {
    worker: "peer.mjs",
    load: (precision) => ({ model: `work/onnx/${GRAPH}_${precision}.onnx` }),
  },
  transformers: {
    worker: "transformers/peer.mjs",
    load: (precision) => ({ name: GRAPH, dtype: DTYPES[precision].dtype }),
    prepare: () => writeModel(resolve(options.work), GRAPH, precisions),
  },
};
const other = PEERS[options.peer];
if (!other) throw new Error(`--peer is one of ${Object.keys(PEERS).join(", ")}`);

/** Serves the bench's own files and the folders that are named. */
function serve(folders) {
  const server = createServer((request, response) => {
    const [, first, ...rest] = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname)).split("/");
    const path = first in folders ? join(folders[first], ...rest) : join(HERE, first, ...rest);
    const bytes = statSync(path, { throwIfNoEntry: false });
    if (!bytes?.isFile()) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream", "content-length": bytes.size });
    createReadStream(path).pipe(response);
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

async function timed(browser, ids) {
  const before = browser.cpuMilliseconds();
  const wall = await browser.ask({ run: { ids } });
  browser.peakBytes();
  return { wall, cpu: browser.cpuMilliseconds() - before };
}

const summary = (times) => ({
  wall_ms: median(times.map(({ wall }) => wall)),
  wall_min_ms: Math.min(...times.map(({ wall }) => wall)),
  cpu_ms: median(times.map(({ cpu }) => cpu)),
});

const folders = {
  work: resolve(options.work),
  ort: join(HERE, "node_modules/onnxruntime-web/dist"),
  tjs: join(HERE, "transformers/node_modules/@huggingface/transformers/dist"),
  "tjs-ort": join(HERE, "transformers/node_modules/onnxruntime-web/dist"),
};
for (const [name, folder] of builds) folders[name] = resolve(folder);
other.prepare?.();
const server = await serve(folders);
const at = `http://127.0.0.1:${server.address().port}`;
const rows = [];
let told = {};
for (const precision of precisions) {
  for (const [build] of builds) {
    const { page, through } = faces.get(build);
    const ours = await Browser.open(options.chromium, `${at}/${page}`);
    const peer = await Browser.open(options.chromium, `${at}/page.html?worker=${other.worker}`);
    const device = await ours.ask({ load: { build, model: `work/${precision}` } });
    ours.peakBytes();
    const versions = await peer.ask({ load: other.load(precision) });
    peer.peakBytes();
    told = { chromium: ours.version(), ...versions };
    for (const length of tokens) {
      const ids = Array.from({ length: length - 2 }, (_, at) => 5 + ((at * 7919) % 19_995));
      const [our, their] = [[], []];
      for (let round = 0; round < warmUp + rounds; round++) {
        const [first, second] = [await timed(ours, ids), await timed(peer, ids)];
        if (round >= warmUp) {
          our.push(first);
          their.push(second);
        }
      }
      const [a, b] = [summary(our), summary(their)];
      const ratios = { wall_ratio: a.wall_ms / b.wall_ms, cpu_ratio: a.cpu_ms / b.cpu_ms };
      const memory = { ours_peak_bytes: ours.peakBytes(), peer_peak_bytes: peer.peakBytes() };
      rows.push({ build, through, device, precision, tokens: length, ours: a, peer: b, ...ratios, ...memory, load: loadavg()[0] });
      console.error(`${build} ${precision} ${length}: ${ratios.wall_ratio.toFixed(3)} by wall, ${ratios.cpu_ratio.toFixed(3)} by CPU`);
    }
    await ours.close();
    await peer.close();
  }
}
server.close();
const report = { peer: options.peer, builds: builds.map(([name]) => name), precisions, tokens, ...told, cpu: cpus()[0].model, threads: 1, warm_up: warmUp, rounds, rows };
const text = `${JSON.stringify(report, null, 2)}\n`;
if (options.json) writeFileSync(options.json, text);
else process.stdout.write(text);
