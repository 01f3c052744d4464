// The coder: a model that is loaded, with the life that it has on a real machine.

import { buildOf, cpuBuild } from "./builds.js";
import { EngineGone } from "./connection.js";
import { choose } from "./device.js";
import { IcdCoderError, orAborted, throwIfAborted } from "./errors.js";
import type { Host } from "./host.js";
import { ModelFolder } from "./model_file.js";
import { ProgressLine } from "./progress.js";
import type { Report, ReportOptions } from "./protocol.js";
import { Session, type SessionParts } from "./session.js";
import type {
  CoderEvents,
  Device,
  DeviceReport,
  IcdCoder,
  IndexedPrediction,
  LoadOptions,
  Manifest,
  Prediction,
  PredictManyOptions,
  PredictOptions,
} from "./types.js";

/** Codes that are reported where the caller does not say how many. */
const TOP_K = 15;
/** Stretches of evidence a code. */
const EVIDENCE = 5;

const disposed = (): IcdCoderError => new IcdCoderError("disposed", "the coder was disposed of");

/** The coder behind {@link IcdCoder}. */
export class Coder implements IcdCoder {
  readonly #parts: SessionParts;
  readonly #listeners = new Map<keyof CoderEvents, Set<(event: never) => void>>();
  #session: Session;
  #report: DeviceReport;
  #lost = 0;
  #disposed = false;
  /** The note under way; the next one waits for it. */
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(parts: SessionParts, session: Session, report: DeviceReport) {
    this.#parts = parts;
    this.#session = session;
    this.#report = report;
  }

  /** Opens a model's folder; see {@link LoadOptions}. */
  static async load(host: Host, address: string | URL, options: LoadOptions = {}): Promise<Coder> {
    const { device = "auto", signal, cache = true, worker } = options;
    if (!["auto", "webgpu", "cpu"].includes(device)) {
      throw new IcdCoderError(
        "bad-input",
        `device is ${JSON.stringify(device)}: it must be auto, webgpu or cpu`,
      );
    }
    throwIfAborted(signal);
    const store = cache === true ? await host.openCache() : cache === false ? undefined : cache;
    const parts = { host, folder: new ModelFolder(host, address, store), worker };
    const progress = new ProgressLine(options.onProgress);
    const { session, report } = await choose(parts, device, progress, signal);
    await parts.folder.settle();
    progress.enter("ready");
    return new Coder(parts, session, report);
  }

  get device(): Device {
    return this.#session.device;
  }

  get manifest(): Manifest {
    return this.#session.manifest;
  }

  explainDevice(): DeviceReport {
    return this.#report;
  }

  on<Name extends keyof CoderEvents>(name: Name, listener: (event: CoderEvents[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  async predict(note: string, options: PredictOptions = {}): Promise<Prediction> {
    const asked = checked(note, options);
    const { signal } = options;
    throwIfAborted(signal);
    const turn = this.#tail.then(() => this.#predict(note, asked, signal));
    this.#tail = turn.catch(() => {});
    return orAborted(turn, signal);
  }

  async *predictMany(
    notes: Iterable<string> | AsyncIterable<string>,
    options: PredictManyOptions = {},
  ): AsyncGenerator<IndexedPrediction, void, undefined> {
    const { onProgress, onError, ...each } = options;
    const total = Array.isArray(notes) ? notes.length : undefined;
    let index = 0;
    for await (const note of notes) {
      let prediction: Prediction | undefined;
      try {
        prediction = await this.predict(note, each);
      } catch (error) {
        const ends =
          error instanceof IcdCoderError && (error.code === "aborted" || error.code === "disposed");
        if (onError === undefined || ends) {
          throw error;
        }
        onError(error as Error, index);
      }
      onProgress?.({ done: index + 1, total });
      if (prediction !== undefined) {
        yield { ...prediction, index };
      }
      index += 1;
    }
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#session.close(disposed());
    this.#listeners.clear();
    await this.#tail;
  }

  async #predict(note: string, asked: ReportOptions, signal: AbortSignal | undefined): Promise<Prediction> {
    const start = performance.now();
    for (;;) {
      this.#throwIfDisposed();
      throwIfAborted(signal);
      const session = this.#session;
      try {
        const report = await session.predict(note, asked, signal);
        return this.#prediction(report, session.device, performance.now() - start);
      } catch (error) {
        this.#throwIfDisposed();
        if (!(error instanceof EngineGone)) {
          throw error;
        }
        await this.#rebuild(session, error);
        if (session.device.kind === "cpu") {
          throw error; // the same note would most likely stop the new engine too
        }
      }
    }
  }

  #prediction(report: Report, device: Device, elapsedMs: number): Prediction {
    return { codes: report.codes, windows: report.windows, tokens: report.tokens, device, elapsedMs };
  }

  /** A new engine in place of one that stopped: on WebGPU once more, then on the CPU. */
  async #rebuild(stopped: Session, error: EngineGone): Promise<void> {
    stopped.close(error);
    const onGpu = stopped.device.kind === "webgpu";
    let session: Session | undefined;
    if (onGpu) {
      this.#lost += 1;
      if (this.#lost === 1) {
        session = await this.#open(buildOf("webgpu")).catch(() => undefined);
      }
    }
    session ??= await this.#open(cpuBuild());
    if (this.#disposed) {
      session.close(disposed());
      throw disposed();
    }
    this.#session = session;
    if (onGpu) {
      const { device } = session;
      const text = `${device.kind === "cpu" ? "CPU" : "WebGPU again"}: the GPU stopped (${error.code}).`;
      this.#report = { ...this.#report, device, why: "device-lost", text };
      this.#emit("devicelost", { reason: error.code, device });
    }
  }

  #open(build: ReturnType<typeof cpuBuild>): Promise<Session> {
    return Session.open(this.#parts, build, new ProgressLine(undefined), undefined);
  }

  #emit<Name extends keyof CoderEvents>(name: Name, event: CoderEvents[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(event as never);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #throwIfDisposed(): void {
    if (this.#disposed) {
      throw disposed();
    }
  }
}

/** The options as the engine takes them. */
function checked(
  note: unknown,
  { topK = TOP_K, threshold = "tuned", evidence = true }: PredictOptions,
): ReportOptions {
  if (typeof note !== "string") {
    throw new IcdCoderError("bad-input", `the note is a ${typeof note}: it must be a string`);
  }
  if (topK !== null && !(Number.isInteger(topK) && topK >= 1)) {
    throw new IcdCoderError(
      "bad-input",
      `topK is ${topK}: it must be a whole number from 1, or null for all codes`,
    );
  }
  if (threshold !== "tuned" && !(typeof threshold === "number" && threshold >= 0 && threshold <= 1)) {
    throw new IcdCoderError(
      "bad-input",
      `threshold is ${threshold}: it must be "tuned" or a number from 0 to 1`,
    );
  }
  const spans = evidence === true ? EVIDENCE : evidence === false ? 0 : evidence;
  if (!(Number.isInteger(spans) && spans >= 0)) {
    throw new IcdCoderError("bad-input", `evidence is ${evidence}: it must be true, false or a whole number`);
  }
  return { topK, threshold: threshold === "tuned" ? null : threshold, evidence: spans };
}
