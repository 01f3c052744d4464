// ONNX Runtime Web on one thread in a worker: from token ids to logits and the attention of the 15 best codes.

import { answer } from "/answer.mjs";
import * as ort from "/ort/ort.wasm.min.mjs";

const [CLS, SEP] = [2n, 3n];
let session;

async function load({ model }) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = "/ort/";
  session = await ort.InferenceSession.create(`/${model}`, { executionProviders: ["wasm"] });
  return { onnxruntime: ort.env.versions.web };
}

async function run({ ids }) {
  const tokens = [CLS, ...ids.map(BigInt), SEP];
  const row = (values) => new ort.Tensor("int64", BigInt64Array.from(values), [1, tokens.length]);
  const feed = {
    ids: row(tokens),
    positions: row(tokens.map((_, at) => BigInt(at))),
    segments: row(tokens.map(() => 0n)),
  };
  const start = performance.now();
  const found = await session.run(feed);
  const ms = performance.now() - start;
  if (found.evidence.dims[2] !== ids.length) throw new Error("another note came back");
  return ms;
}

answer({ load, run });
