// What the package needs of the place where it runs: a browser and Node each offer one.

import type { Answer, Envelope, Port } from "./protocol.js";
import type { LoadOptions, ModelCache } from "./types.js";

/** A worker as the page sees it. */
export interface WorkerPort extends Port<Envelope, Answer> {
  /** Called when the worker itself fails: its script does not load, or it dies. */
  onFailure(listener: (reason: string) => void): void;
  /** Whether an answer is awaited; an idle worker does not keep a Node process alive. */
  busy(busy: boolean): void;
  /** Frees the worker with its memory; a caller's own worker stays. */
  end(): void;
}

/** The GPU that a place offers. */
export interface Adapter {
  readonly name: string;
  /** Whether it computes in software: correct, and slower than the CPU engine. */
  readonly software: boolean;
}

/** How a file is read. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes so far. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** The size that the file must have. */
  readonly bytes?: number | undefined;
  /** What the HTTP cache may do: by default all; `no-cache` asks the server each time; `no-store` keeps nothing. */
  readonly http?: "default" | "no-cache" | "no-store" | undefined;
}

/** The place where the package runs. */
export interface Host {
  /** A file's address. */
  file(address: string | URL): URL;
  /** The folder's address, ending in a slash. */
  folder(address: string | URL): URL;
  /** Whether what lies there can be read at any time, as from a disk. */
  onDisk(url: URL): boolean;
  read(url: URL, options: ReadOptions): Promise<Uint8Array<ArrayBuffer>>;
  compile(url: URL, signal: AbortSignal | undefined): Promise<WebAssembly.Module>;
  startWorker(worker: LoadOptions["worker"]): WorkerPort;
  /** The cache that is used where the caller names none. */
  openCache(): Promise<ModelCache | undefined>;
  /** The best GPU adapter, or none. */
  adapter(): Promise<Adapter | undefined>;
}
