// One model on one device, in one worker.

import { type Build, moduleOf } from "./builds.js";
import { Connection } from "./connection.js";
import { type IcdCoderError, orAborted, throwIfAborted } from "./errors.js";
import type { Host } from "./host.js";
import type { ModelFolder } from "./model_file.js";
import type { ProgressLine } from "./progress.js";
import type { Report, ReportOptions } from "./protocol.js";
import type { Device, LoadOptions, Manifest } from "./types.js";

/** What a session is opened from. */
export interface SessionParts {
  readonly host: Host;
  readonly folder: ModelFolder;
  readonly worker: LoadOptions["worker"];
}

/** A model that is loaded and ready. */
export class Session {
  readonly #connection: Connection;

  private constructor(
    connection: Connection,
    readonly manifest: Manifest,
    readonly device: Device,
  ) {
    this.#connection = connection;
  }

  /** Compiles in the page, verifies and computes in the worker, which therefore needs no network of its own. */
  static async open(
    { host, folder, worker }: SessionParts,
    build: Build,
    progress: ProgressLine,
    signal: AbortSignal | undefined,
  ): Promise<Session> {
    throwIfAborted(signal);
    const connection = new Connection(host.startWorker(worker));
    try {
      const compiled = moduleOf(build, host, signal);
      compiled.catch(() => {}); // awaited below, unless the manifest fails first
      const bytes = await orAborted(folder.manifest(signal), signal);
      const module = await orAborted(compiled, signal);
      const opened = await orAborted(
        connection.request({ do: "open", glue: build.glue.href, module, manifest: bytes }, [bytes.buffer]),
        signal,
      );
      progress.begin(opened.files.reduce((sum, file) => sum + file.bytes, 0));
      let arrived = 0;
      await folder.files(
        opened.files,
        async (file, bytes, transfer) => {
          arrived += 1;
          if (arrived === opened.files.length) {
            progress.enter("verify");
          }
          await orAborted(
            connection.request({ do: "add", file, bytes }, transfer ? [bytes.buffer] : []),
            signal,
          );
        },
        (file, bytes) => progress.file(file, bytes),
        signal,
      );
      progress.enter("compile");
      const { device } = await orAborted(connection.request({ do: "finish" }), signal);
      return new Session(connection, opened.manifest, device);
    } catch (error) {
      connection.close(error as IcdCoderError);
      throw error;
    }
  }

  /** Codes of a note, one window after another. A raised signal is answered at once; the worker ends its window. */
  async predict(note: string, options: ReportOptions, signal: AbortSignal | undefined): Promise<Report> {
    throwIfAborted(signal);
    const { prediction } = await this.#connection.request({ do: "start", note });
    try {
      let done = false;
      while (!done) {
        throwIfAborted(signal);
        done = await orAborted(this.#connection.request({ do: "step", prediction }), signal);
      }
      return await orAborted(this.#connection.request({ do: "report", prediction, options }), signal);
    } catch (error) {
      // Without it an abandoned note's hidden states would stay in the worker.
      this.#connection.request({ do: "drop", prediction }).catch(() => {});
      throw error;
    }
  }

  /** The beginning of a text that makes about one window. */
  async oneWindow(text: string): Promise<string> {
    const { prediction, windows } = await this.#connection.request({ do: "start", note: text });
    await this.#connection.request({ do: "drop", prediction });
    return text.slice(0, Math.ceil(text.length / windows));
  }

  /** Frees the worker's memory. */
  close(error: IcdCoderError): void {
    this.#connection.close(error);
  }
}
