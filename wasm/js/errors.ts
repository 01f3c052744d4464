// What went wrong, by a code that does not change between versions.

/** The stable codes of {@link IcdCoderError}; the README's table says what to do about each. */
export type IcdCoderErrorCode =
  | "aborted"
  | "bad-input"
  | "device-lost"
  | "disposed"
  | "integrity"
  | "model-version"
  | "network"
  | "not-found"
  | "out-of-memory"
  | "trap"
  | "unsupported"
  | "webgpu-unavailable"
  | "worker";

const KNOWN: ReadonlySet<string> = new Set<IcdCoderErrorCode>([
  "aborted",
  "bad-input",
  "device-lost",
  "disposed",
  "integrity",
  "model-version",
  "network",
  "not-found",
  "out-of-memory",
  "trap",
  "unsupported",
  "webgpu-unavailable",
  "worker",
]);

/** Every error of this package. Its message never holds text of a note. */
export class IcdCoderError extends Error {
  override readonly name = "IcdCoderError";
  readonly code: IcdCoderErrorCode;

  constructor(code: IcdCoderErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether a string is one of the stable codes. */
export function isKnownCode(code: unknown): code is IcdCoderErrorCode {
  return typeof code === "string" && KNOWN.has(code);
}

/** Throws `aborted` if the signal says so. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw abortError(signal);
  }
}

/** The error of a signal that was raised; its reason is the `cause`. */
export function abortError(signal: AbortSignal): IcdCoderError {
  return new IcdCoderError("aborted", "stopped by the caller's AbortSignal", { cause: signal.reason });
}

/** The promise's outcome, or `aborted` as soon as the signal is raised. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) {
    return promise;
  }
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(abortError(signal));
    if (signal.aborted) {
      stop();
    }
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
