// Faults in the memory of the real engine, where a note asks for one by a word: what a bug of the engine would do, done
// from outside. A worker imports this before the package's own, so that its listener runs first.

/** What is done to the memory before which request. */
const FAULTS = {
  /** Every address and length of the engine is nonsense: the next instruction that needs one traps. */
  OVERWRITE: { before: "step", apply: (memory) => new Uint8Array(memory.buffer).fill(0xff) },
  /** The note's letters are wider than they were, so that words end within them: slicing them out panics. */
  WIDELETTERS: { before: "report", apply: widenLetters },
  /** All 4 GiB are taken: the next allocation that needs a new page fails. */
  TAKEALL: { before: "start", apply: takeAll },
};

let memory;
let armed;

const { instantiate } = WebAssembly;
WebAssembly.instantiate = async (...given) => {
  const made = await instantiate.apply(WebAssembly, given);
  memory = (made.instance ?? made).exports.memory;
  return made;
};

addEventListener("message", ({ data: { request } }) => {
  if (request.do === "start") {
    const word = Object.keys(FAULTS).find((word) => request.note.includes(word));
    armed = word && { ...FAULTS[word], note: request.note };
  }
  if (request.do === armed?.before) {
    armed.apply(memory, armed.note);
    armed = undefined;
  }
});

/** Writes letters of two bytes over the note, wherever it stands. */
function widenLetters(memory, note) {
  const bytes = new Uint8Array(memory.buffer);
  const wanted = new TextEncoder().encode(note);
  const wide = new TextEncoder().encode("é".repeat(wanted.length / 2));
  for (let at = bytes.indexOf(wanted[0]); at >= 0; at = bytes.indexOf(wanted[0], at + 1)) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) {
      bytes.set(wide, at);
    }
  }
}

function takeAll(memory) {
  for (let pages = 65_536; pages >= 1; pages = Math.floor(pages / 2)) {
    try {
      for (;;) {
        memory.grow(pages);
      }
    } catch {
      // no room for as many: the half
    }
  }
}
