// The face of a generated build without an engine, for the unit tests: its manifest's field `fake` says how it behaves,
// and words of the note make it fail. In a browser it checks no hashes.

const { createHash } = globalThis.process ? await import("node:crypto") : {};

const webgpu = import.meta.url.includes("/webgpu/");
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const coded = (code, message) => Object.assign(new Error(message), { code });

let live = false;

export default async function init({ module_or_path }) {
  if (!(module_or_path instanceof WebAssembly.Module)) {
    throw new Error("init takes a compiled module");
  }
  if (live) {
    throw new Error("the glue was evaluated for another engine");
  }
  live = true;
  return (await WebAssembly.instantiate(module_or_path)).exports;
}

export class ModelLoader {
  #taken = new Set();

  constructor(bytes) {
    try {
      this.manifest = JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      throw coded("integrity", "manifest.json is not JSON");
    }
    if (this.manifest.schema_version > 1) {
      throw coded("model-version", `schema version ${this.manifest.schema_version}: this release reads 1`);
    }
  }

  files() {
    return [this.manifest.labels.listed, this.manifest.tokenizer, ...this.manifest.shards];
  }

  add(file, bytes) {
    const listed = this.files().find((entry) => entry.file === file);
    const sha256 = createHash?.("sha256").update(bytes).digest("hex") ?? listed.sha256;
    if (bytes.byteLength !== listed.bytes || sha256 !== listed.sha256) {
      throw coded("integrity", `${file} is damaged`);
    }
    this.#taken.add(file);
  }

  async finish() {
    if (this.#taken.size !== this.files().length) {
      throw coded("integrity", "files are missing");
    }
    if (webgpu && this.manifest.fake.webgpuFails) {
      throw coded("webgpu-unavailable", "no device");
    }
    return new Coder(this.manifest.fake);
  }

  free() {}
}

class Coder {
  constructor(fake) {
    this.fake = fake;
    const adapter = { vendor: "fake", architecture: "", device: "", description: "", fallback: false };
    this.device = webgpu ? { kind: "webgpu", adapter, f16: false } : { kind: "cpu", simd: "simd128" };
  }

  start(note) {
    const words = note.split(/\s+/).filter((word) => word !== "");
    if (words.length === 0) {
      throw coded("bad-input", "the note has no tokens: there is nothing to code");
    }
    return new Prediction(this.fake, note, words);
  }

  free() {}
}

class Prediction {
  #done = 0;

  constructor(fake, note, words) {
    this.fake = fake;
    this.note = note;
    this.words = words;
    this.tokens = words.length;
    this.windows = words.includes("LONG") ? 20 : 1;
  }

  async step() {
    await sleep(webgpu ? this.fake.webgpuMs : this.fake.cpuMs);
    if (this.words.includes("TRAP")) {
      // What a panic says may hold anything.
      throw new WebAssembly.RuntimeError(`unreachable: ${this.note}`);
    }
    if (this.words.includes("TRAPLATER")) {
      // So ends a trap in a future that wasm-bindgen drives: nobody catches it, and the promise never settles.
      queueMicrotask(() => {
        throw new WebAssembly.RuntimeError(`unreachable: ${this.note}`);
      });
      return new Promise(() => {});
    }
    if (webgpu && this.words.includes("LOSE")) {
      throw coded("device-lost", "the GPU device was lost");
    }
    if (this.words.includes("FULL")) {
      throw new RangeError(`WebAssembly.Memory.grow(): ${this.note}`);
    }
    this.#done += 1;
    return this.#done === this.windows;
  }

  async finish({ topK, threshold, evidence }) {
    const codes = [...new Set(this.words)].slice(0, topK ?? undefined).map((word, at) => {
      const start = this.note.indexOf(word);
      const spans = evidence > 0 ? [{ start, end: start + word.length, text: word, weight: 1 }] : [];
      const probability = 1 / (at + 2);
      const least = threshold ?? 0.4;
      const assigned = probability >= least;
      return {
        code: word,
        system: "local",
        description: word,
        probability,
        threshold: least,
        assigned,
        evidence: spans,
      };
    });
    return { tokens: this.tokens, windows: this.windows, codes };
  }

  free() {}
}
