//! `bert-xml/codes` in a browser: the table of ICD-10-CM. It needs no model, and runs in the caller's thread.

import { browser } from "./browser.js";
import { openTable, type TableOptions } from "./code_table.js";
import type { CodeTable as Face } from "./code_table.js";

export { IcdCoderError, type IcdCoderErrorCode } from "./errors.js";
export type { CodeEntry, CodeHit, TableOptions } from "./code_table.js";

/** The table of ICD-10-CM: {@link CodeTable.load} reads it once. */
export type CodeTable = Face;
export const CodeTable = {
  /** Fetches the table and its small engine. */
  load: (options: TableOptions = {}): Promise<CodeTable> => openTable(browser, options),
};
