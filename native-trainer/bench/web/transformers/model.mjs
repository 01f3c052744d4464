// The bench's model as transformers.js wants it: a folder with config.json, the tokenizer and onnx/.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What transformers.js calls our precisions, and the file it then opens. */
export const DTYPES = { f32: { dtype: "fp32", file: "model.onnx" }, int8: { dtype: "q8", file: "model_quantized.onnx" } };

/** Writes WORK/transformers/NAME from our random model and the peer's ONNX files; nothing is changed in those. */
export function writeModel(work, name, precisions) {
  const folder = join(work, "transformers", name);
  mkdirSync(join(folder, "onnx"), { recursive: true });
  const ours = join(work, precisions[0]);
  const { encoder } = JSON.parse(readFileSync(join(ours, "manifest.json"), "utf8")).config;
  const write = (file, value) => writeFileSync(join(folder, file), `${JSON.stringify(value, null, 2)}\n`);
  write("config.json", { ...encoder, model_type: "bert", architectures: ["BertModel"] });
  write("tokenizer_config.json", { tokenizer_class: "BertTokenizer", model_max_length: encoder.max_position_embeddings });
  copyFileSync(join(ours, "tokenizer.json"), join(folder, "tokenizer.json"));
  for (const precision of precisions) {
    copyFileSync(join(work, "onnx", `${name}_${precision}.onnx`), join(folder, "onnx", DTYPES[precision].file));
  }
}
