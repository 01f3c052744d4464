// The table of codes: an asset of its own, and a small WebAssembly that knows its rules.

import { IcdCoderError, isKnownCode, throwIfAborted } from "./errors.js";
import type { Host } from "./host.js";
import type { CodeTable, TableOptions } from "./types.js";

/** The face of the generated build. */
interface Generated {
  default(input: { module_or_path: WebAssembly.Module }): Promise<unknown>;
  CodeTable: new (gz: Uint8Array) => CodeTable;
}

/** Reads the table and its engine. */
export async function openTable(host: Host, { url, wasmUrl, signal }: TableOptions = {}): Promise<CodeTable> {
  const glue = new URL("./generated/codes/bert_xml.js", import.meta.url);
  const wasm = wasmUrl ?? new URL("./generated/codes/bert_xml_bg.wasm", import.meta.url);
  // Its name holds the start of its SHA-256: another table has another address. Not `.gz`, which some servers
  // would unpack on the way.
  const table = url ?? new URL("./icd10cm-2026-04.9f334273.bin", import.meta.url);
  const [generated, module, bytes] = await Promise.all([
    import(
      /* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ glue.href
    ) as Promise<Generated>,
    host.compile(host.file(wasm), signal),
    host.read(host.file(table), { signal }),
  ]);
  throwIfAborted(signal);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) {
    const hint = "if its name ends in .gz, the server may have unpacked it: rename it";
    throw new IcdCoderError("integrity", `${String(table)} is not gzip data; ${hint}`);
  }
  await generated.default({ module_or_path: module });
  return new Table(ours(() => new generated.CodeTable(bytes)));
}

/** The generated class with this package's errors. */
class Table implements CodeTable {
  constructor(private readonly inner: CodeTable) {}

  get release(): string {
    return this.inner.release;
  }

  get size(): number {
    return this.inner.size;
  }

  search(query: string, limit: number): ReturnType<CodeTable["search"]> {
    return ours(() => this.inner.search(query, limit));
  }

  get(code: string): ReturnType<CodeTable["get"]> {
    return ours(() => this.inner.get(code));
  }

  moreSpecific(code: string, limit: number): ReturnType<CodeTable["moreSpecific"]> {
    return ours(() => this.inner.moreSpecific(code, limit));
  }

  free(): void {
    this.inner.free();
  }
}

function ours<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
    throw isKnownCode(code)
      ? new IcdCoderError(code, String(message))
      : new IcdCoderError("trap", "the table of codes stopped: this is a bug of bert-xml");
  }
}
