//! What the package promises: the types of its public face.

/** Where the model computes. */
export type Device =
  | { readonly kind: "cpu"; readonly simd: "relaxed" | "simd128" }
  | { readonly kind: "webgpu"; readonly adapter: AdapterDescription; readonly f16: boolean };

/** The GPU as the browser describes it; a browser may leave any of it empty. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Whether it computes in software. */
  readonly fallback: boolean;
}

/** A step of loading. Steps come in the order in which they stand here and never go back. */
export type Phase = "fetch" | "verify" | "compile" | "warmup" | "ready";

/** How far loading is. `loaded` never falls and ends at `total`; both count bytes of the model's files. */
export interface Progress {
  readonly phase: Phase;
  readonly loaded: number;
  readonly total: number;
}

/**
 * Where fetched files are kept between visits. A browser's `Cache` is one. Files lie under keys that hold their
 * SHA-256, and what comes out is verified like what comes from the network.
 */
export interface ModelCache {
  match(key: string): Promise<Response | undefined>;
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
  postMessage(message: unknown, transfer: Transferable[]): void;
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
  readonly device?: "auto" | "webgpu" | "cpu";
  readonly onProgress?: (progress: Progress) => void;
  /** Stops the download and the warm-up. */
  readonly signal?: AbortSignal;
  /** `true` (default): the Cache API where the page may use it; `false`: keep nothing. */
  readonly cache?: boolean | ModelCache;
  /** A worker of the caller's, or where `worker.js` lies. By default the package finds its own. */
  readonly worker?: WorkerLike | URL | TrustedScriptUrlLike;
}

/** What to report of a note. */
export interface PredictOptions {
  /** Codes, most probable first; `null` for all. Default 15. */
  readonly topK?: number | null;
  /** `"tuned"` (default) takes the model's own thresholds; a number from 0 to 1 overrides them. */
  readonly threshold?: "tuned" | number;
  /** The words that speak for each code: `true` (default, at most 5 stretches), `false`, or how many. */
  readonly evidence?: boolean | number;
  /** Stops between two windows of the note. */
  readonly signal?: AbortSignal;
}

/** A stretch of the note that speaks for a code. `start` and `end` are UTF-16 offsets: `note.slice(start, end) === text`. */
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
  readonly assigned: boolean;
  readonly evidence: readonly Evidence[];
}

/** The codes of a note, most probable first. */
export interface Prediction {
  readonly codes: readonly CodePrediction[];
  /** Windows into which the note was cut. */
  readonly windows: number;
  readonly tokens: number;
  readonly device: Device;
  readonly elapsedMs: number;
}

/** How {@link IcdCoder.predictMany} works through its notes. */
export interface PredictManyOptions extends PredictOptions {
  /** After each note; `total` where the notes are an array. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number | undefined }) => void;
  /** With it, a note that cannot be coded is reported here and left out; without it, its error is thrown. */
  readonly onError?: (error: Error, index: number) => void;
}

/** A prediction with its note's position among the notes given. */
export interface IndexedPrediction extends Prediction {
  readonly index: number;
}

/** Why the coder computes where it computes. Times are of this machine, on the same short note. */
export interface DeviceReport {
  readonly device: Device;
  readonly why:
    | "asked"
    | "measured"
    | "remembered"
    | "no-adapter"
    | "software-adapter"
    | "webgpu-failed"
    | "device-lost";
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
  readonly stride: number;
  readonly threshold: number;
  readonly label_thresholds?: readonly number[];
  readonly precision: string;
  readonly [field: string]: unknown;
}
