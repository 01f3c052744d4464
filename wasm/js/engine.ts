// The worker's side: requests in, the generated module's answers out. It fetches nothing and logs nothing.

import { isKnownCode } from "./errors.js";
import type {
  Envelope,
  ListedFile,
  Replies,
  Report,
  ReportOptions,
  Request,
  WireError,
  WorkerEnd,
} from "./protocol.js";
import type { Device, Manifest } from "./types.js";

/** The face of a generated build (`wasm/generated/NAME/bert_xml.js`). */
export interface Generated {
  default(input: { module_or_path: WebAssembly.Module }): Promise<{ memory: WebAssembly.Memory }>;
  ModelLoader: new (manifest: Uint8Array) => GeneratedLoader;
}

interface GeneratedLoader {
  readonly manifest: Manifest;
  files(): ListedFile[];
  add(file: string, bytes: Uint8Array): void;
  finish(): Promise<GeneratedCoder>;
  free(): void;
}

interface GeneratedCoder {
  readonly device: Device;
  start(note: string): GeneratedPrediction;
  free(): void;
}

interface GeneratedPrediction {
  readonly windows: number;
  readonly tokens: number;
  step(): Promise<boolean>;
  finish(options: ReportOptions): Promise<Report>;
  free(): void;
}

/** A wasm memory has 4 GiB at most; an engine that stops this near to it ran out of it. */
const NEARLY_FULL = 3.5 * 2 ** 30;

/** An error that is ours to word; its text is safe to show. */
class Refusal extends Error {
  constructor(
    readonly code: WireError["code"],
    message: string,
  ) {
    super(message);
  }
}

/** One model on one device: an instance of a generated build of its own. */
class Engine {
  #memory: WebAssembly.Memory | undefined;
  #loader: GeneratedLoader | undefined;
  #coder: GeneratedCoder | undefined;
  readonly #predictions = new Map<number, GeneratedPrediction>();
  #next = 0;

  constructor(private readonly id: number) {}

  async answer(request: Request): Promise<Replies[keyof Replies]> {
    switch (request.do) {
      case "open":
        return this.#open(request.glue, request.module, request.manifest);
      case "add":
        present(this.#loader).add(request.file, request.bytes);
        return null;
      case "finish": {
        const loader = present(this.#loader);
        this.#loader = undefined; // `finish` consumes it
        this.#coder = await loader.finish();
        return { device: this.#coder.device };
      }
      case "start": {
        const prediction = present(this.#coder).start(request.note);
        this.#next += 1;
        this.#predictions.set(this.#next, prediction);
        return { prediction: this.#next, windows: prediction.windows, tokens: prediction.tokens };
      }
      case "step":
        return present(this.#predictions.get(request.prediction)).step();
      case "report": {
        const prediction = present(this.#predictions.get(request.prediction));
        this.#predictions.delete(request.prediction); // `finish` consumes it
        return prediction.finish(request.options);
      }
      case "drop":
        this.#predictions.get(request.prediction)?.free();
        this.#predictions.delete(request.prediction);
        return null;
      case "close":
        this.free();
        return null;
    }
  }

  /** Whether the instance stopped for want of memory. */
  get full(): boolean {
    return (this.#memory?.buffer.byteLength ?? 0) > NEARLY_FULL;
  }

  free(): void {
    for (const prediction of this.#predictions.values()) {
      prediction.free();
    }
    this.#predictions.clear();
    this.#loader?.free();
    this.#coder?.free();
    this.#loader = this.#coder = undefined;
  }

  async #open(glue: string, module: WebAssembly.Module, manifest: Uint8Array): Promise<Replies["open"]> {
    // The fragment makes every engine evaluate the glue anew, so that none shares another's instance.
    let generated: Generated;
    try {
      generated = (await import(/* @vite-ignore */ `${glue}#${this.id}`)) as Generated;
    } catch {
      throw new Refusal("not-found", `the worker cannot import ${glue}`);
    }
    this.#memory = (await generated.default({ module_or_path: module })).memory;
    this.#loader = new generated.ModelLoader(manifest);
    return { manifest: this.#loader.manifest, files: this.#loader.files() };
  }
}

/** Serves requests one after another, so that no call enters an instance that is busy. */
export function serve(port: WorkerEnd): void {
  const engines = new Map<number, Engine>();
  let tail = Promise.resolve();
  let trapped: (error: Error) => void = () => {};
  port.onUncaught(() => trapped(new Error()));
  const handle = async ({ id, engine: name, request }: Envelope): Promise<void> => {
    const engine = engines.get(name) ?? new Engine(name);
    engines.set(name, engine);
    try {
      const value = await new Promise<Replies[keyof Replies]>((resolve, reject) => {
        trapped = reject;
        engine.answer(request).then(resolve, reject);
      });
      if (request.do === "close") {
        engines.delete(name);
      }
      port.post({ id, value }, []);
    } catch (error) {
      const wire = worded(error, engine);
      if (wire.fatal || request.do === "close") {
        engines.delete(name);
      }
      port.post({ id, error: wire }, []);
    }
  };
  port.listen((envelope) => {
    tail = tail.then(() => handle(envelope));
  });
}

/**
 * An error in words that are safe to show: those of the engine's own refusals, which never hold note text. What a
 * trap says is not shown, since nobody promises what stands in it.
 */
function worded(error: unknown, engine: Engine): WireError {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (isKnownCode(code)) {
    return { code, message: String(message), fatal: code === "device-lost" || code === "out-of-memory" };
  }
  if (engine.full || error instanceof RangeError) {
    return { code: "out-of-memory", message: "the engine ran out of memory", fatal: true };
  }
  return { code: "trap", message: "the engine stopped: this is a bug of bert-xml", fatal: true };
}

function present<T>(part: T | undefined): T {
  if (part === undefined) {
    throw new Refusal("worker", "the engine has no such part: it was closed, or never opened");
  }
  return part;
}
