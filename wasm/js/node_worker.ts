// The worker thread in Node.

import { parentPort } from "node:worker_threads";

import { serve } from "./engine.js";
import type { Envelope } from "./protocol.js";

if (parentPort === null) {
  throw new Error("node_worker.js runs in a worker thread");
}
const port = parentPort;
serve({
  post: (message, transfer) => port.postMessage(message, transfer as never),
  listen: (onMessage) => port.on("message", (message: Envelope) => onMessage(message)),
  onUncaught: (listener) => {
    process.on("uncaughtException", listener); // rejections that nobody handles come here too
  },
});
