// A generated build of the npm package, bare, in a worker (api.mjs is the package with all that is around it): from a note's text to the 15 best codes with evidence.

import { answer } from "/answer.mjs";

let coder;

async function bytes(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function load({ build, model }) {
  const { default: init, ModelLoader } = await import(`/${build}/bert_xml.js`);
  await init();
  const loader = new ModelLoader(await bytes(`/${model}/manifest.json`));
  for (const { file } of loader.files()) loader.add(file, await bytes(`/${model}/${file}`));
  coder = await loader.finish();
  return coder.device;
}

/** A note whose word `wN` is token N; [CLS] and [SEP] come on top. */
async function run({ ids }) {
  const note = ids.map((id) => `w${id}`).join(" ");
  const start = performance.now();
  const prediction = coder.start(note);
  while (!(await prediction.step()));
  const found = await prediction.finish({ topK: 15, threshold: null, evidence: 3 });
  const ms = performance.now() - start;
  if (found.tokens !== ids.length || found.codes.length !== 15) throw new Error("another note came back");
  return ms;
}

answer({ load, run });
