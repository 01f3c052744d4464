// Progress of loading: phases in order, bytes that never fall, an end at the total.

import type { Phase, Progress } from "./types.js";

const ORDER: readonly Phase[] = ["fetch", "verify", "compile", "warmup", "ready"];

/** Joins what the steps of loading say to one line of events. */
export class ProgressLine {
  readonly #tell: (progress: Progress) => void;
  readonly #files = new Map<string, number>();
  #phase: Phase = "fetch";
  #loaded = 0;
  #total: number | undefined;

  constructor(listener: ((progress: Progress) => void) | undefined) {
    this.#tell = (progress) => {
      try {
        listener?.(progress);
      } catch (error) {
        // A listener's own mistake must not look like a failed download.
        queueMicrotask(() => {
          throw error;
        });
      }
    };
  }

  /** What there is to fetch, in bytes. Counts once: a second device reads the same files. */
  begin(total: number): void {
    if (this.#total === undefined) {
      this.#total = total;
      this.#emit();
    }
  }

  /** Bytes of one file so far; a file that is fetched a second time counts only beyond what it had. */
  file(name: string, bytes: number): void {
    if (this.#total === undefined || this.#phase !== "fetch") {
      return;
    }
    const before = this.#files.get(name) ?? 0;
    if (bytes > before) {
      this.#files.set(name, bytes);
      this.#loaded = Math.min(this.#loaded + bytes - before, this.#total);
      this.#emit();
    }
  }

  /** The next phase; everything is fetched by then. An earlier one is passed over. */
  enter(phase: Phase): void {
    if (this.#total === undefined || ORDER.indexOf(phase) <= ORDER.indexOf(this.#phase)) {
      return;
    }
    this.#phase = phase;
    this.#loaded = this.#total;
    this.#emit();
  }

  #emit(): void {
    this.#tell({ phase: this.#phase, loaded: this.#loaded, total: this.#total ?? 0 });
  }
}
