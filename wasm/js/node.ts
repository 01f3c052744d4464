//! `bert-xml` in Node: the same face on the CPU, in a worker thread.

import { Coder } from "./coder.js";
import { node } from "./node_host.js";
import type { LoadOptions } from "./types.js";

export { IcdCoderError, type IcdCoderErrorCode } from "./errors.js";
export type * from "./types.js";
export { VERSION } from "./version.js";

/** Codes clinical notes in this process. */
export class IcdCoder extends Coder {
  /** Loads the model of a folder: a path relative to the working directory, a `file:` or an `http(s):` URL. */
  static async load(folder: string | URL, options: LoadOptions = {}): Promise<IcdCoder> {
    return new IcdCoder(...(await Coder.open(node, folder, options)));
  }
}
