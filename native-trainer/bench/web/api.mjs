// The whole npm package as a page uses it: `IcdCoder` with the worker, device and build that it takes by itself, from a
// note's text to the 15 best codes with evidence. It runs in the page; its time includes the messages to the worker.

let coder;

export async function load({ build, model }) {
  const { IcdCoder } = await import(`/${build}/index.js`);
  coder = await IcdCoder.load(`/${model}/`, { device: "cpu" });
  return coder.device;
}

/** A note whose word `wN` is token N; [CLS] and [SEP] come on top. */
export async function run({ ids }) {
  const note = ids.map((id) => `w${id}`).join(" ");
  const start = performance.now();
  const found = await coder.predict(note, { topK: 15, evidence: 3 });
  const ms = performance.now() - start;
  if (found.tokens !== ids.length || found.codes.length !== 15) throw new Error("another note came back");
  return ms;
}
