// What the page and its worker say to each other. Every request has an id and gets one answer.

import type { IcdCoderErrorCode } from "./errors.js";
import type { CodePrediction, Device, Manifest } from "./types.js";

/** A file of the model, as its manifest lists it. */
export interface ListedFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What the engine reports of a note; `null` means the model's own. */
export interface ReportOptions {
  readonly topK: number | null;
  readonly threshold: number | null;
  readonly evidence: number;
}

/** The codes of a note, without what only the page knows. */
export interface Report {
  readonly tokens: number;
  readonly windows: number;
  readonly codes: CodePrediction[];
}

/** A request to one engine of a worker. */
export type Request =
  | {
      readonly do: "open";
      readonly glue: string;
      readonly module: WebAssembly.Module;
      readonly manifest: Uint8Array;
    }
  | { readonly do: "add"; readonly file: string; readonly bytes: Uint8Array }
  | { readonly do: "finish" }
  | { readonly do: "start"; readonly note: string }
  /** One window. */
  | { readonly do: "step"; readonly prediction: number }
  | { readonly do: "report"; readonly prediction: number; readonly options: ReportOptions }
  | { readonly do: "drop"; readonly prediction: number }
  | { readonly do: "close" };

/** What each request is answered with. */
export interface Replies {
  open: { readonly manifest: Manifest; readonly files: readonly ListedFile[] };
  add: null;
  finish: { readonly device: Device };
  start: { readonly prediction: number; readonly windows: number; readonly tokens: number };
  /** True when no window is left. */
  step: boolean;
  report: Report;
  drop: null;
  close: null;
}

/** A request on its way: several engines may live in one worker. */
export interface Envelope {
  readonly id: number;
  readonly engine: number;
  readonly request: Request;
}

/** An error on its way. `fatal`: the engine is of no more use. */
export interface WireError {
  readonly code: IcdCoderErrorCode;
  readonly message: string;
  readonly fatal: boolean;
}

/** The answer to the request of the same id. */
export type Answer =
  | { readonly id: number; readonly value: Replies[keyof Replies] }
  | { readonly id: number; readonly error: WireError };

/** One end of the line between page and worker. */
export interface Port<Out, In> {
  post(message: Out, transfer: ArrayBuffer[]): void;
  listen(onMessage: (message: In) => void): void;
}

/** The worker's end. */
export interface WorkerEnd extends Port<Answer, Envelope> {
  /** Called at an error that nobody caught: so ends a trap in a future of the engine, whose promise never settles. */
  onUncaught(listener: () => void): void;
}
