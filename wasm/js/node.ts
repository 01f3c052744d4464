// `bert-xml` in Node: the same face on the CPU, in a worker thread.

import { Coder } from "./coder.js";
import { node } from "./node_host.js";
import type { IcdCoder as Face, IcdCoderLoader } from "./types.js";

export { IcdCoderError, type IcdCoderErrorCode } from "./errors.js";
export type * from "./types.js";
export { VERSION } from "./version.js";

/** Codes clinical notes in this process. */
export type IcdCoder = Face;
/** Loads models; there is nothing to construct. */
export const IcdCoder: IcdCoderLoader = {
  load: (folder, options) => Coder.load(node, folder, options),
};
