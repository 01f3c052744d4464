//! The table of codes: an asset of its own, and a small WebAssembly that knows its rules.

import { IcdCoderError, isKnownCode, throwIfAborted } from "./errors.js";
import type { Host } from "./host.js";

/** A code that a search found. */
export interface CodeHit {
  readonly code: string;
  readonly description: string;
  /** Whether it may stand on a bill; the others are headings. */
  readonly billable: boolean;
  /** The inclusion term by which it was found, where it was not found by code or description. */
  readonly matched?: string | null;
}

/** All that the table says of a code. */
export interface CodeEntry {
  readonly code: string;
  readonly description: string;
  readonly billable: boolean;
  readonly parent: string | null;
  readonly block: string | null;
  readonly chapter: string | null;
  readonly children: string[];
  readonly inclusionTerms: string[];
  readonly excludes1: string[];
  readonly excludes2: string[];
  /** Whether it is a chronic condition by the table's indicator. */
  readonly chronic: boolean | null;
}

/** The table in memory. All methods answer at once. */
export interface CodeTable {
  /** The release, such as `2026-04`. */
  readonly release: string;
  /** Codes in it, headings included. */
  readonly size: number;
  /** Codes by word or by code, best first. */
  search(query: string, limit: number): CodeHit[];
  get(code: string): CodeEntry | undefined;
  /** Billable codes under a heading. */
  moreSpecific(code: string, limit: number): CodeHit[];
  /** Frees its memory. */
  free(): void;
}

/** Where the parts of the table lie, if not beside the package. */
export interface TableOptions {
  readonly url?: string | URL;
  readonly wasmUrl?: string | URL;
  readonly signal?: AbortSignal;
}

/** The face of the generated build. */
interface Generated {
  default(input: { module_or_path: WebAssembly.Module }): Promise<unknown>;
  CodeTable: new (gz: Uint8Array) => CodeTable;
}

/** Reads the table and its engine. */
export async function openTable(host: Host, { url, wasmUrl, signal }: TableOptions): Promise<CodeTable> {
  const glue = new URL("./generated/codes/bert_xml.js", import.meta.url);
  const wasm = wasmUrl ?? new URL("./generated/codes/bert_xml_bg.wasm", import.meta.url);
  // Its name holds the start of its SHA-256: another table has another address. Not `.gz`, which some servers
  // would unpack on the way.
  const table = url ?? new URL("./icd10cm-2026-04.9f334273.bin", import.meta.url);
  const [generated, module, bytes] = await Promise.all([
    import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ glue.href) as Promise<Generated>,
    host.compile(host.file(wasm), signal),
    host.read(host.file(table), { signal }),
  ]);
  throwIfAborted(signal);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) {
    const hint = "if its name ends in .gz, the server may have unpacked it: rename it";
    throw new IcdCoderError("integrity", `${String(table)} is not gzip data; ${hint}`);
  }
  await generated.default({ module_or_path: module });
  try {
    return new generated.CodeTable(bytes);
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    throw isKnownCode(code)
      ? new IcdCoderError(code, String(message))
      : new IcdCoderError("integrity", `${String(table)} is not a table of codes`, { cause: error });
  }
}
