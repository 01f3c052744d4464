// The generated builds: where their files lie, and which one this machine can run.
//
// Each address is written out, since that is how bundlers find what to copy.

import { IcdCoderError } from "./errors.js";
import type { Host } from "./host.js";

/** A build of the engine. */
export type BuildName = "cpu" | "cpu-simd" | "webgpu";

/** The files of a build: the glue that the worker imports, and the module that the page compiles. */
export interface Build {
  readonly name: BuildName;
  readonly glue: URL;
  readonly wasm: URL;
}

/** Where a build's files lie. */
export function buildOf(name: BuildName): Build {
  switch (name) {
    case "cpu":
      return {
        name,
        glue: new URL("./generated/cpu/bert_xml.js", import.meta.url),
        wasm: new URL("./generated/cpu/bert_xml_bg.wasm", import.meta.url),
      };
    case "cpu-simd":
      return {
        name,
        glue: new URL("./generated/cpu-simd/bert_xml.js", import.meta.url),
        wasm: new URL("./generated/cpu-simd/bert_xml_bg.wasm", import.meta.url),
      };
    case "webgpu":
      return {
        name,
        glue: new URL("./generated/webgpu/bert_xml.js", import.meta.url),
        wasm: new URL("./generated/webgpu/bert_xml_bg.wasm", import.meta.url),
      };
  }
}

/** The fastest CPU build that this machine's WebAssembly understands. */
export function cpuBuild(): Build {
  if (WebAssembly.validate(moduleWith(RELAXED_DOT))) {
    return buildOf("cpu");
  }
  if (WebAssembly.validate(moduleWith(SPLAT))) {
    return buildOf("cpu-simd");
  }
  throw new IcdCoderError(
    "unsupported",
    "this browser's WebAssembly has no SIMD; one from 2021 or later has",
  );
}

const compiled = new WeakMap<Host, Map<BuildName, WebAssembly.Module>>();

/**
 * A build's module. It is compiled once and then kept: browsers let go of compiled code late, and an engine that stops
 * is rebuilt without a fetch.
 */
export async function moduleOf(
  { name, wasm }: Build,
  host: Host,
  signal: AbortSignal | undefined,
): Promise<WebAssembly.Module> {
  const modules = compiled.get(host) ?? new Map<BuildName, WebAssembly.Module>();
  compiled.set(host, modules);
  const module = modules.get(name) ?? (await host.compile(wasm, signal));
  modules.set(name, module);
  return module;
}

/** `i32.const 0, i8x16.splat`: SIMD128. */
const SPLAT = [0x41, 0, 0xfd, 0x0f];
/** `i32x4.relaxed_dot_i8x16_i7x16_add_s` of three splats: relaxed SIMD. */
const RELAXED_DOT = [...SPLAT, ...SPLAT, ...SPLAT, 0xfd, 0x93, 0x02];

/** A module of one function `() -> v128` with this body. */
function moduleWith(instructions: readonly number[]): Uint8Array<ArrayBuffer> {
  const body = [0, ...instructions, 0x0b];
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic, version
    ...[1, 5, 1, 0x60, 0, 1, 0x7b], // types: () -> v128
    ...[3, 2, 1, 0], // functions: one of type 0
    ...[10, body.length + 2, 1, body.length, ...body], // code
  ]);
}
