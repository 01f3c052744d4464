// The browser's worker. It is shipped as one file without imports, so that every bundler can copy it as it is.

import { serve } from "./engine.js";
import type { Answer, Envelope } from "./protocol.js";

/** The part of `DedicatedWorkerGlobalScope` that is used; the DOM's types and a worker's exclude each other. */
const scope = globalThis as unknown as {
  postMessage(message: Answer, transfer: ArrayBuffer[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<Envelope>) => void): void;
  addEventListener(type: "error" | "unhandledrejection", listener: (event: Event) => void): void;
};

serve({
  post: (message, transfer) => scope.postMessage(message, transfer),
  listen: (onMessage) => scope.addEventListener("message", (event) => onMessage(event.data)),
  onUncaught: (listener) => {
    for (const type of ["error", "unhandledrejection"] as const) {
      scope.addEventListener(type, (event) => {
        event.preventDefault(); // nothing of it belongs into the console
        listener();
      });
    }
  },
});
