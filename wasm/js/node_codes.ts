// `bert-xml/codes` in Node.

import { openTable } from "./code_table.js";
import { node } from "./node_host.js";
import type { CodeTable as Face, CodeTableLoader } from "./types.js";

export { IcdCoderError, type IcdCoderErrorCode } from "./errors.js";
export type { CodeEntry, CodeHit, CodeTableLoader, TableOptions } from "./types.js";

/** The table of ICD-10-CM: {@link CodeTable.load} reads it once. */
export type CodeTable = Face;
/** Reads the table; there is nothing to construct. */
export const CodeTable: CodeTableLoader = {
  load: (options) => openTable(node, options),
};
