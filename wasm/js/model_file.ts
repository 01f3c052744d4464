// A model's files: from the cache or the network, by their SHA-256.
//
// The engine verifies every file before it uses it; only what it took is kept.

import { IcdCoderError, throwIfAborted } from "./errors.js";
import type { Host } from "./host.js";
import type { ListedFile } from "./protocol.js";
import type { ModelCache } from "./types.js";

/** The manifest's file name. */
const MANIFEST = "manifest.json";

/** Files that are read ahead while the engine verifies one. */
const AHEAD = 3;

/** What takes the files: refuses a damaged one with code `integrity`. */
type TakeFile = (file: string, bytes: Uint8Array<ArrayBuffer>, transfer: boolean) => Promise<void>;

interface Read {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly cached: boolean;
}

/** A folder that holds a model. */
export class ModelFolder {
  readonly #host: Host;
  readonly #base: URL;
  readonly #cache: ModelCache | undefined;
  #manifest: Uint8Array<ArrayBuffer> | undefined;
  /** Verified files by their hash: those that lie nowhere else, and all of them while a second device may ask. */
  readonly #memory = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Hashes of files that lie in the cache or on the disk. */
  readonly #kept = new Set<string>();
  #holding = false;

  constructor(host: Host, address: string | URL, cache: ModelCache | undefined) {
    this.#host = host;
    this.#base = host.folder(address);
    this.#cache = cache;
  }

  /**
   * The bytes of `manifest.json`: from the network, so that a replaced model is seen; without a network, as it was
   * at the last visit.
   */
  async manifest(signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#manifest === undefined) {
      try {
        this.#manifest = await this.#host.read(new URL(MANIFEST, this.#base), { signal, http: "no-cache" });
      } catch (error) {
        const kept = await this.#match(this.#manifestKey());
        if (!(error instanceof IcdCoderError && error.code === "network") || kept === undefined) {
          throw error;
        }
        this.#manifest = kept;
      }
    }
    return this.#manifest.slice();
  }

  /** Reads all files and hands them over in order, a few ahead. A damaged cache entry is fetched anew. */
  async files(
    files: readonly ListedFile[],
    take: TakeFile,
    onBytes: (file: string, bytes: number) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const stop = new AbortController(); // for the reads ahead, when one fails or the caller has enough
    const forward = (): void => stop.abort(signal?.reason);
    signal?.addEventListener("abort", forward, { once: true });
    const start = (at: number): Promise<Read> | undefined => {
      const entry = files[at];
      const read = entry && this.#read(entry, (bytes) => onBytes(entry.file, bytes), stop.signal);
      read?.catch(() => {}); // awaited below, or never if an earlier one fails
      return read;
    };
    const reads = Array.from({ length: Math.min(AHEAD, files.length) }, (_, at) => start(at));
    try {
      for (const [at, entry] of files.entries()) {
        const read = await reads[at];
        reads.push(start(at + AHEAD));
        throwIfAborted(signal);
        if (read !== undefined) {
          await this.#hand(entry, read, take, stop.signal);
          reads[at] = undefined;
        }
      }
    } finally {
      signal?.removeEventListener("abort", forward);
      stop.abort();
    }
  }

  /** From now on verified files stay in memory, until they are released: a second device will ask for them. */
  hold(): void {
    this.#holding = true;
  }

  /**
   * Lets go of what can be read again. A page may forbid itself every fetch once the model is loaded, and an engine
   * that stops must be rebuilt all the same: so what no cache took stays.
   */
  release(): void {
    this.#holding = false;
    for (const sha256 of this.#kept) {
      this.#memory.delete(sha256);
    }
  }

  /** After a load: keeps the manifest, and removes the files of the model that it replaced. */
  async settle(): Promise<void> {
    if (this.#cache === undefined || this.#manifest === undefined) {
      return;
    }
    const before = await this.#match(this.#manifestKey());
    await this.#put(this.#manifestKey(), this.#manifest);
    const now = new Set(listedHashes(this.#manifest));
    for (const sha256 of before === undefined ? [] : listedHashes(before)) {
      if (!now.has(sha256)) {
        await this.#cache.delete?.(fileKey(sha256)).catch(() => false);
      }
    }
  }

  /** A small note to later visits, such as which device was faster. */
  async recall(name: string): Promise<unknown> {
    const bytes = await this.#match(`/bert-xml/${name}`);
    return bytes === undefined ? undefined : parsed(bytes);
  }

  async remember(name: string, value: unknown): Promise<void> {
    await this.#put(`/bert-xml/${name}`, new TextEncoder().encode(JSON.stringify(value)));
  }

  async #hand(entry: ListedFile, read: Read, take: TakeFile, signal: AbortSignal): Promise<void> {
    let { bytes, cached } = read;
    const onDisk = this.#cache === undefined && this.#host.onDisk(this.#base);
    // What is needed afterwards is sent as a copy.
    const keep = (): boolean => this.#holding || this.#memory.has(entry.sha256) || !(cached || onDisk);
    try {
      await take(entry.file, bytes, !keep());
    } catch (error) {
      if (!cached || !(error instanceof IcdCoderError) || error.code !== "integrity") {
        throw error;
      }
      cached = false;
      bytes = await this.#fetch(entry, undefined, signal);
      await take(entry.file, bytes, !keep());
    }
    const kept = this.#kept;
    if (!kept.has(entry.sha256) && (cached || onDisk || (await this.#put(fileKey(entry.sha256), bytes)))) {
      kept.add(entry.sha256);
    }
    if (this.#holding || !kept.has(entry.sha256)) {
      this.#memory.set(entry.sha256, bytes);
    }
  }

  async #read(entry: ListedFile, onBytes: (bytes: number) => void, signal: AbortSignal): Promise<Read> {
    const before = this.#memory.get(entry.sha256) ?? (await this.#match(fileKey(entry.sha256)));
    if (before !== undefined) {
      onBytes(entry.bytes);
      return { bytes: before, cached: !this.#memory.has(entry.sha256) };
    }
    return { bytes: await this.#fetch(entry, onBytes, signal), cached: false };
  }

  async #fetch(
    { file, bytes }: ListedFile,
    onBytes: ((bytes: number) => void) | undefined,
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (!/^[\w-][\w.-]*$/.test(file)) {
      throw new IcdCoderError(
        "integrity",
        `the manifest lists ${JSON.stringify(file)}: not a plain file name`,
      );
    }
    const url = new URL(file, this.#base);
    const read = await this.#host.read(url, {
      signal,
      onBytes,
      bytes,
      http: this.#cache === undefined ? "default" : "no-store",
    });
    if (read.byteLength !== bytes) {
      throw new IcdCoderError(
        "integrity",
        `${url.href} has ${read.byteLength} bytes, not the ${bytes} of the manifest`,
      );
    }
    return read;
  }

  #manifestKey(): string {
    return `/bert-xml/manifest/${encodeURIComponent(this.#base.href)}`;
  }

  async #match(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const response = await this.#cache?.match(key);
      return response && new Uint8Array(await response.arrayBuffer());
    } catch {
      return undefined; // a cache that cannot be read is an empty one
    }
  }

  /** Whether it lies in the cache now. A full disk or a private window is no error: the model works all the same. */
  async #put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    try {
      const headers = {
        "content-type": "application/octet-stream",
        "content-length": String(bytes.byteLength),
      };
      await this.#cache?.put(key, new Response(bytes, { headers }));
      return this.#cache !== undefined;
    } catch {
      return false;
    }
  }
}

function fileKey(sha256: string): string {
  return `/bert-xml/sha256/${sha256}`;
}

/** The JSON of these bytes, or nothing: who must understand it says so itself. */
export function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** All hashes that stand anywhere in a manifest. */
function listedHashes(manifest: Uint8Array): string[] {
  return new TextDecoder().decode(manifest).match(/\b[0-9a-f]{64}\b/g) ?? [];
}
