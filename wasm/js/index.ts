//! `bert-xml` in a browser. Importing it touches nothing; `IcdCoder.load` does.
//!
//! index → coder → device → session → connection → (worker) engine → generated build

import { browser } from "./browser.js";
import { Coder } from "./coder.js";
import type { LoadOptions } from "./types.js";

export { IcdCoderError, type IcdCoderErrorCode } from "./errors.js";
export type * from "./types.js";
export { VERSION } from "./version.js";

/** Codes clinical notes in this browser: no note leaves it. */
export class IcdCoder extends Coder {
  /** Loads the model of a folder, relative to the page. */
  static async load(folder: string | URL, options: LoadOptions = {}): Promise<IcdCoder> {
    return new IcdCoder(...(await Coder.open(browser, folder, options)));
  }
}
