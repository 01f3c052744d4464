//! `bert-xml/codes` in Node.

import { openTable, type TableOptions } from "./code_table.js";
import type { CodeTable as Face } from "./code_table.js";
import { node } from "./node_host.js";

export { IcdCoderError, type IcdCoderErrorCode } from "./errors.js";
export type { CodeEntry, CodeHit, TableOptions } from "./code_table.js";

/** The table of ICD-10-CM: {@link CodeTable.load} reads it once. */
export type CodeTable = Face;
export const CodeTable = {
  /** Reads the table and its small engine. */
  load: (options: TableOptions = {}): Promise<CodeTable> => openTable(node, options),
};
