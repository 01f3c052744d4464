// `bert-xml` in a browser. Importing it touches nothing; `IcdCoder.load` does.
//
// index → coder → device → session → connection → (worker) engine → generated build

import { browser } from "./browser.js";
import { Coder } from "./coder.js";
import type { IcdCoder as Face, IcdCoderLoader } from "./types.js";

export { IcdCoderError, type IcdCoderErrorCode } from "./errors.js";
export type * from "./types.js";
export { VERSION } from "./version.js";

/** Codes clinical notes in this browser: no note leaves it. */
export type IcdCoder = Face;
/** Loads models; there is nothing to construct. */
export const IcdCoder: IcdCoderLoader = {
  load: (folder, options) => Coder.load(browser, folder, options),
};
