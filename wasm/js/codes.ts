// `bert-xml/codes` in a browser: the table of ICD-10-CM. It needs no model, and runs in the caller's thread.

import { browser } from "./browser.js";
import { openTable } from "./code_table.js";
import type { CodeTable as Face, CodeTableLoader } from "./types.js";

export { IcdCoderError, type IcdCoderErrorCode } from "./errors.js";
export type { CodeEntry, CodeHit, CodeTableLoader, TableOptions } from "./types.js";

/** The table of ICD-10-CM: {@link CodeTable.load} reads it once. */
export type CodeTable = Face;
/** Reads the table; there is nothing to construct. */
export const CodeTable: CodeTableLoader = {
  load: (options) => openTable(browser, options),
};
