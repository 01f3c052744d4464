// transformers.js on one thread in a worker: from a note's text to logits and the attention of the 15 best codes.
//
// The graph is the one of ../peer.mjs. It has the names `ids` and `segments` and wants positions; AutoModel gives the
// session each input that the graph names.

import { answer } from "/answer.mjs";
import { AutoModel, AutoTokenizer, Tensor, env } from "/tjs/transformers.min.js";

env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = "/work/transformers/";
env.useBrowserCache = false;
env.useWasmCache = false;
env.backends.onnx.wasm.numThreads = 1;
env.backends.onnx.wasm.wasmPaths = "/tjs-ort/";
let tokenizer, model;

async function load({ name, dtype }) {
  tokenizer = await AutoTokenizer.from_pretrained(name);
  model = await AutoModel.from_pretrained(name, { dtype, device: "wasm" });
  return { transformers: env.version, onnxruntime: env.backends.onnx.versions.web };
}

/** A note whose word `wN` is token N; the tokenizer adds [CLS] and [SEP]. */
async function run({ ids }) {
  const note = ids.map((id) => `w${id}`).join(" ");
  const start = performance.now();
  const { input_ids, token_type_ids } = tokenizer(note);
  const length = input_ids.dims[1];
  const positions = new Tensor("int64", BigInt64Array.from({ length }, (_, at) => BigInt(at)), [1, length]);
  const found = await model({ ids: input_ids, segments: token_type_ids, positions });
  const ms = performance.now() - start;
  const same = ids.every((id, at) => input_ids.data[at + 1] === BigInt(id));
  if (!same || found.evidence.dims[2] !== ids.length) throw new Error("another note came back");
  return ms;
}

answer({ load, run });
