// What the package promises: the types of its public face.

/** Where the model computes. */
export type Device =
  | { readonly kind: "cpu"; readonly simd: "relaxed" | "simd128" }
  | { readonly kind: "webgpu"; readonly adapter: AdapterDescription; readonly f16: boolean };

/** The GPU as the browser describes it. */
export interface AdapterDescription {
  /** Empty where the browser does not tell. */
  readonly name: string;
  /** Whether it computes in software. */
  readonly fallback: boolean;
}

/** A step of loading. Steps come in the order in which they stand here and never go back. */
export type Phase = "fetch" | "verify" | "compile" | "warmup" | "ready";

/** How far loading is. `loaded` never falls and ends at `total`; both count bytes of the model's files. */
export interface Progress {
  /** What is being done; while files are fetched, `loaded` grows. */
  readonly phase: Phase;
  readonly loaded: number;
  readonly total: number;
}

/**
 * Where fetched files are kept between visits. A browser's `Cache` is one. Files lie under keys that hold their
 * SHA-256, and what comes out is verified like what comes from the network.
 */
export interface ModelCache {
  /** The response that was put under this key. */
  match(key: string): Promise<Response | undefined>;
  /** Keeps a file. Where it refuses, as a full disk does, the model loads all the same. */
  put(key: string, response: Response): Promise<void>;
  /** Where it is there, files of a model that was replaced are removed. */
  delete?(key: string): Promise<boolean>;
}

/** A `TrustedScriptURL`, for pages that make their own trusted-types policy. */
export interface TrustedScriptUrlLike {
  toJSON(): string;
}

/** What {@link LoadOptions.worker} may be beside a URL: a module worker that runs this package's `worker.js`. */
export interface WorkerLike {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: string, listener: (event: MessageEvent) => void): void;
  removeEventListener(type: string, listener: (event: MessageEvent) => void): void;
  terminate(): void;
}

/** How a model is loaded. */
export interface LoadOptions {
  /**
   * `"auto"` (default) starts on the CPU, and keeps WebGPU where a warm-up shows it faster; `"webgpu"` fails with
   * `webgpu-unavailable` where there is none.
   */
  readonly device?: "auto" | "webgpu" | "cpu" | undefined;
  /** Called at every piece of a file and every change of phase. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Stops the download and the warm-up. */
  readonly signal?: AbortSignal | undefined;
  /** `true` (default): the Cache API where the page may use it; `false`: keep nothing. */
  readonly cache?: boolean | ModelCache | undefined;
  /** A worker of the caller's, or where `worker.js` lies. By default the package finds its own. */
  readonly worker?: WorkerLike | URL | TrustedScriptUrlLike | undefined;
}

/** What to report of a note. */
export interface PredictOptions {
  /** Codes, most probable first; `null` for all. Default 15. */
  readonly topK?: number | null | undefined;
  /** `"tuned"` (default) takes the model's own thresholds; a number from 0 to 1 overrides them. */
  readonly threshold?: "tuned" | number | undefined;
  /** The words that speak for each code: `true` (default, at most 5 stretches), `false`, or how many. */
  readonly evidence?: boolean | number | undefined;
  /** Stops between two windows of the note. */
  readonly signal?: AbortSignal | undefined;
}

/** A stretch of the note that speaks for a code, in UTF-16 offsets: `note.slice(start, end) === text`. */
export interface Evidence {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Share of the code's attention, 0 to 1. */
  readonly weight: number;
}

/** One code of a note. */
export interface CodePrediction {
  readonly code: string;
  /** `icd10cm`, … */
  readonly system: string;
  readonly description: string;
  readonly probability: number;
  /** The probability from which on it is assigned. */
  readonly threshold: number;
  /** Whether its probability reaches the threshold. */
  readonly assigned: boolean;
  readonly evidence: readonly Evidence[];
}

/** The codes of a note, most probable first. */
export interface Prediction {
  readonly codes: readonly CodePrediction[];
  /** Windows into which the note was cut. */
  readonly windows: number;
  /** Of the note, special ones not counted. */
  readonly tokens: number;
  readonly device: Device;
  /** Of this note alone: without the wait for earlier ones, with a rebuilt engine if there was one. */
  readonly elapsedMs: number;
}

/** How {@link IcdCoder.predictMany} works through its notes. */
export interface PredictManyOptions extends PredictOptions {
  /** After each note; `total` where the notes are an array. */
  readonly onProgress?:
    ((progress: { readonly done: number; readonly total: number | undefined }) => void) | undefined;
  /** With it, a note that cannot be coded is reported here and left out; without it, its error is thrown. */
  readonly onError?: ((error: Error, index: number) => void) | undefined;
}

/** A prediction with its note's position among the notes given. */
export interface IndexedPrediction extends Prediction {
  readonly index: number;
}

/** Why the coder computes where it computes. Times are of this machine, on the same short note. */
export interface DeviceReport {
  readonly device: Device;
  readonly why:
    "asked" | "measured" | "remembered" | "no-adapter" | "software-adapter" | "webgpu-failed" | "device-lost";
  /** One English sentence with the numbers. */
  readonly text: string;
  /** Milliseconds of the warm-up note on the CPU. */
  readonly cpuMs?: number;
  /** Milliseconds of the warm-up note on WebGPU. */
  readonly webgpuMs?: number;
  /** Tokens of the warm-up note. */
  readonly tokens?: number;
  /** The adapter that the browser offers. */
  readonly adapter?: string;
}

/** What happened to the GPU, and where the coder goes on. */
export interface DeviceLost {
  readonly reason: string;
  readonly device: Device;
}

/** Codes clinical notes on this machine: no note leaves it. */
export interface IcdCoder {
  /** Where it computes. */
  readonly device: Device;
  /** The model's manifest, with its card. */
  readonly manifest: Manifest;
  /** Why it computes there, with the times that decided it. */
  explainDevice(): DeviceReport;
  /** The codes of a note. Notes of one coder are coded one after another, in the order of the calls. */
  predict(note: string, options?: PredictOptions): Promise<Prediction>;
  /** The codes of many notes, one after another. */
  predictMany(
    notes: Iterable<string> | AsyncIterable<string>,
    options?: PredictManyOptions,
  ): AsyncGenerator<IndexedPrediction, void, undefined>;
  /** Calls the listener at every such event; what comes back removes it. */
  on<Name extends keyof CoderEvents>(name: Name, listener: (event: CoderEvents[Name]) => void): () => void;
  /** Frees the worker with its memory. Predictions under way fail with code `disposed`. */
  dispose(): Promise<void>;
}

/** How a coder comes into being. */
export interface IcdCoderLoader {
  /** Loads the model of a folder: relative to the page, or in Node to the working directory. */
  load(folder: string | URL, options?: LoadOptions): Promise<IcdCoder>;
}

/** The events of a coder. */
export interface CoderEvents {
  devicelost: DeviceLost;
}

/** The model's `manifest.json`. */
export interface Manifest {
  readonly format: string;
  readonly schema_version: number;
  /** Hash of the model. */
  readonly model_id: string;
  readonly card: {
    readonly name: string;
    readonly language: string;
    readonly licence: string;
    readonly trained_on: string;
    readonly intended_use: string;
    readonly limits: string;
    readonly [field: string]: unknown;
  };
  /** Longest window in tokens. */
  readonly max_len: number;
  /** Tokens from the start of one window to that of the next. */
  readonly stride: number;
  /** For labels without one of their own. */
  readonly threshold: number;
  /** One a label, in the order of `labels.tsv`. */
  readonly label_thresholds?: readonly number[];
  /** Of the weights, such as `int8`. */
  readonly precision: string;
  readonly [field: string]: unknown;
}

/** A code that a search found. */
export interface CodeHit {
  readonly code: string;
  readonly description: string;
  /** Whether it may stand on a bill; the others are headings. */
  readonly billable: boolean;
  /** The inclusion term by which it was found, where it was not found by code or description. */
  readonly matched?: string | null;
}

/** All that the table says of a code. */
export interface CodeEntry {
  readonly code: string;
  readonly description: string;
  readonly billable: boolean;
  /** The code above it; none above a category. */
  readonly parent: string | null;
  readonly block: string | null;
  readonly chapter: string | null;
  /** Codes just below it. */
  readonly children: string[];
  readonly inclusionTerms: string[];
  /** What is never coded together with it, in the words of the book. */
  readonly excludes1: string[];
  /** What is not part of it, but may be coded beside it. */
  readonly excludes2: string[];
  /** Whether it is a chronic condition by the table's indicator. */
  readonly chronic: boolean | null;
}

/** The table in memory. All methods answer at once. */
export interface CodeTable {
  /** The release, such as `2026-04`. */
  readonly release: string;
  /** Codes in it, headings included. */
  readonly size: number;
  /** Codes by word or by code, best first. */
  search(query: string, limit: number): CodeHit[];
  /** All about one code, in any spelling; undefined where the release lacks it. Throws `bad-input` for what is no code at all. */
  get(code: string): CodeEntry | undefined;
  /** Billable codes under a heading. */
  moreSpecific(code: string, limit: number): CodeHit[];
  /** Frees its memory. */
  free(): void;
}

/** Where the parts of the table lie, if not beside the package. */
export interface TableOptions {
  /** The table, `icd10cm-….bin`. */
  readonly url?: string | URL | undefined;
  /** Its engine, `bert_xml_bg.wasm` of the build `codes`. */
  readonly wasmUrl?: string | URL | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How a table comes into being. */
export interface CodeTableLoader {
  /** Reads the table and its small engine. */
  load(options?: TableOptions): Promise<CodeTable>;
}
