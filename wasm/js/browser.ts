// A browser as the place where the package runs. Nothing here is touched before a model is loaded.

import { IcdCoderError, abortError } from "./errors.js";
import type { Adapter, Host, ReadOptions, WorkerPort } from "./host.js";
import type { Answer } from "./protocol.js";
import type { LoadOptions, ModelCache, WorkerLike } from "./types.js";

/** The name of the cache in the Cache API. */
const CACHE = "bert-xml-v1";

/** The name of the trusted-types policy, for `trusted-types bert-xml`. */
const POLICY = "bert-xml";

/** Files by `fetch`, a module worker, the Cache API, and the GPU that the browser offers. */
export const browser: Host = {
  file: located,

  folder(address) {
    const url = located(address);
    if (!url.pathname.endsWith("/")) {
      url.pathname += "/";
    }
    return url;
  },

  onDisk: () => false,

  read,

  async compile(url, signal) {
    const response = await request(url, { signal });
    try {
      // Where the server names another type than application/wasm, streaming is refused.
      const streams = response.headers.get("content-type")?.startsWith("application/wasm");
      return await (streams
        ? WebAssembly.compileStreaming(response)
        : WebAssembly.compile(await response.arrayBuffer()));
    } catch (error) {
      throw signal?.aborted ? abortError(signal) : notCompiled(error);
    }
  },

  startWorker,

  async openCache() {
    try {
      // Absent without a secure context; refused in some private windows.
      return (await globalThis.caches?.open(CACHE)) as ModelCache | undefined;
    } catch {
      return undefined;
    }
  },

  async adapter() {
    try {
      const adapter = await (navigator as { gpu?: Gpu }).gpu?.requestAdapter({
        powerPreference: "high-performance",
      });
      return adapter ? described(adapter) : undefined;
    } catch {
      return undefined;
    }
  },
};

/** An address relative to the page. */
function located(address: string | URL): URL {
  return new URL(address, globalThis.document?.baseURI ?? globalThis.location.href);
}

/** Reads a file piece by piece; never more than it may have. */
async function read(url: URL, options: ReadOptions): Promise<Uint8Array<ArrayBuffer>> {
  const response = await request(url, options);
  const reader = response.body?.getReader();
  if (reader === undefined) {
    return new Uint8Array(await response.arrayBuffer());
  }
  const { bytes: size, onBytes, signal } = options;
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        break;
      }
      pieces.push(value);
      length += value.byteLength;
      if (size !== undefined && length > size) {
        await reader.cancel().catch(() => {});
        throw new IcdCoderError("integrity", `${url.href} has more than the ${size} bytes of the manifest`);
      }
      onBytes?.(length);
    }
  } catch (error) {
    throw error instanceof IcdCoderError ? error : failed(url, error, signal);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

async function request(url: URL, { signal, http = "default" }: ReadOptions): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal: signal ?? null, cache: http });
  } catch (error) {
    throw failed(url, error, signal);
  }
  if (response.status === 404 || response.status === 410) {
    throw new IcdCoderError("not-found", `${url.href} is not there (${response.status})`);
  }
  if (!response.ok) {
    throw new IcdCoderError("network", `${url.href} was answered with ${response.status}`);
  }
  if (response.headers.get("content-type")?.startsWith("text/html")) {
    throw new IcdCoderError(
      "not-found",
      `${url.href} is a web page, not a file of the model: does the folder exist?`,
    );
  }
  return response;
}

function failed(url: URL, error: unknown, signal: AbortSignal | undefined): IcdCoderError {
  return signal?.aborted
    ? abortError(signal)
    : new IcdCoderError("network", `${url.href} could not be fetched`, { cause: error });
}

function notCompiled(error: unknown): IcdCoderError {
  const policy = error instanceof Error && /Content Security Policy/i.test(error.message);
  return new IcdCoderError(
    "unsupported",
    policy
      ? "the page's Content-Security-Policy forbids WebAssembly: script-src needs 'wasm-unsafe-eval'"
      : "this browser cannot compile the engine",
    { cause: error },
  );
}

function startWorker(given: LoadOptions["worker"]): WorkerPort {
  const owned = !isWorker(given);
  const worker = owned ? newWorker(given) : given;
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen: (onMessage) =>
      worker.addEventListener("message", (event: MessageEvent<Answer>) => onMessage(event.data)),
    onFailure: (listener) => {
      worker.addEventListener("error", () =>
        listener("the worker failed, or its script could not be loaded"),
      );
      worker.addEventListener("messageerror", () => listener("a message of the worker could not be read"));
    },
    busy: () => {},
    end: () => {
      if (owned) {
        worker.terminate();
      }
    },
  };
}

function isWorker(given: LoadOptions["worker"]): given is WorkerLike {
  return typeof (given as Partial<WorkerLike> | undefined)?.postMessage === "function";
}

function newWorker(given: Exclude<LoadOptions["worker"], WorkerLike>): WorkerLike {
  const address = given ?? new URL("./worker.js", import.meta.url);
  try {
    return new Worker(address instanceof URL ? trusted(address) : (address as URL), { type: "module" });
  } catch (error) {
    const hint =
      "with require-trusted-types-for, allow the policy by `trusted-types bert-xml`, or pass `worker`";
    throw new IcdCoderError("worker", `the page's policy forbids the worker: ${hint}`, { cause: error });
  }
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): URL };
}

let policy: ReturnType<TrustedTypes["createPolicy"]> | undefined;

/** The address as a page with `require-trusted-types-for 'script'` takes it: the package's own, or a caller's URL. */
function trusted(address: URL): URL {
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  policy ??= types?.createPolicy(POLICY, { createScriptURL: (url) => url });
  return policy?.createScriptURL(address.href) ?? address;
}

/** The parts of WebGPU that are used here; not every TypeScript knows them. */
interface Gpu {
  requestAdapter(options: { powerPreference: "high-performance" }): Promise<GpuAdapter | null>;
}

interface GpuAdapter {
  readonly isFallbackAdapter?: boolean;
  readonly info?: {
    readonly vendor?: string;
    readonly architecture?: string;
    readonly device?: string;
    readonly description?: string;
    readonly isFallbackAdapter?: boolean;
  };
}

function described({ info, isFallbackAdapter }: GpuAdapter): Adapter {
  const parts = [info?.vendor, info?.architecture, info?.device, info?.description];
  const name = parts.filter((part) => part).join(" ") || "an adapter without a name";
  const software = info?.isFallbackAdapter ?? isFallbackAdapter ?? false;
  return { name, software: software || /swiftshader|llvmpipe|lavapipe|basic render/i.test(name) };
}
