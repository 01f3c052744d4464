// Node as the place where the package runs: files from the disk, a worker thread, no GPU.

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

import { browser } from "./browser.js";
import { IcdCoderError, abortError } from "./errors.js";
import type { Host, ReadOptions, WorkerPort } from "./host.js";
import type { Answer } from "./protocol.js";
import type { LoadOptions } from "./types.js";

/** Paths and `file:` from the disk, other addresses by `fetch`; no GPU, and no cache but a given one. */
export const node: Host = {
  file: located,

  folder(address) {
    const url = located(address);
    if (!url.pathname.endsWith("/")) {
      url.pathname += "/";
    }
    return url;
  },

  onDisk: (url) => url.protocol === "file:",

  read,

  async compile(url, signal) {
    return WebAssembly.compile(await read(url, { signal }));
  },

  startWorker,

  // Files on a disk need no second copy; who loads over HTTP passes a cache.
  openCache: async () => undefined,

  adapter: async () => undefined,
};

/** A path relative to the working directory, or a URL. */
function located(address: string | URL): URL {
  const path = typeof address === "string" && !/^[a-z][a-z0-9+.-]+:/i.test(address);
  return path ? pathToFileURL(address) : new URL(address);
}

async function read(url: URL, options: ReadOptions): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol !== "file:") {
    return browser.read(url, options);
  }
  const { signal, onBytes } = options;
  try {
    const bytes = new Uint8Array(await readFile(url, signal === undefined ? {} : { signal }));
    onBytes?.(bytes.byteLength);
    return bytes;
  } catch (error) {
    if (signal?.aborted) {
      throw abortError(signal);
    }
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const what = missing ? "is not there" : "could not be read";
    throw new IcdCoderError(missing ? "not-found" : "network", `${url.href} ${what}`, { cause: error });
  }
}

function startWorker(given: LoadOptions["worker"]): WorkerPort {
  if (given !== undefined && !(given instanceof URL)) {
    throw new IcdCoderError("bad-input", "in Node `worker` may only be a URL");
  }
  // Not written inside `new Worker(…)`, which bundlers for servers would take for an entry of their own.
  const address = given ?? new URL("./node_worker.js", import.meta.url);
  // Flags of the process, such as --input-type, need not fit a worker.
  const worker = new Worker(address, { execArgv: [] });
  worker.unref();
  let ended = false;
  return {
    post: (message, transfer) => worker.postMessage(message, transfer as never),
    listen: (onMessage) => worker.on("message", (answer: Answer) => onMessage(answer)),
    onFailure: (listener) => {
      worker.on("error", (error) =>
        listener(`the worker thread failed (${error instanceof Error ? error.name : "error"})`),
      );
      worker.on("exit", () => ended || listener("the worker thread ended"));
    },
    busy: (busy) => (busy ? worker.ref() : worker.unref()),
    end: () => {
      ended = true;
      void worker.terminate();
    },
  };
}
