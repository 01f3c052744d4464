// The page's side of the protocol: request ids, answers, and what happens when the worker dies.

import { IcdCoderError } from "./errors.js";
import type { WorkerPort } from "./host.js";
import type { Envelope, Replies, Request } from "./protocol.js";

interface Waiting {
  resolve(value: never): void;
  reject(error: Error): void;
}

/** An error after which the engine is of no more use. */
export class EngineGone extends IcdCoderError {}

let engines = 0;

/** A line to one engine in a worker. */
export class Connection {
  readonly #port: WorkerPort;
  readonly #engine = (engines += 1);
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #closed: IcdCoderError | undefined;
  #ended = false;

  constructor(port: WorkerPort) {
    this.#port = port;
    port.listen((answer) => {
      // Ids are unique among all engines, so that those that share a worker take only their own answers.
      const waiting = this.#waiting.get(answer.id);
      if (waiting === undefined) {
        return;
      }
      this.#settle(answer.id);
      if ("value" in answer) {
        waiting.resolve(answer.value as never);
      } else {
        const { code, message, fatal } = answer.error;
        waiting.reject(new (fatal ? EngineGone : IcdCoderError)(code, message));
      }
    });
    port.onFailure((reason) => this.#fail(new EngineGone("worker", reason)));
  }

  request<Do extends Request["do"]>(
    request: Extract<Request, { do: Do }>,
    transfer: ArrayBuffer[] = [],
  ): Promise<Replies[Do]> {
    if (this.#closed !== undefined) {
      return Promise.reject(this.#closed);
    }
    this.#next += 1;
    const id = this.#engine * 2 ** 32 + this.#next;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#port.busy(true);
      const envelope: Envelope = { id, engine: this.#engine, request };
      try {
        this.#port.post(envelope, transfer);
      } catch (error) {
        this.#settle(id);
        const memory = error instanceof RangeError;
        reject(
          memory
            ? new IcdCoderError("out-of-memory", "a file of the model does not fit into memory")
            : new IcdCoderError("worker", "the worker does not take messages", { cause: error }),
        );
      }
    });
  }

  /** Frees the engine; requests under way and later ones fail with this error. */
  close(error: IcdCoderError): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#port.post({ id: 0, engine: this.#engine, request: { do: "close" } }, []);
      this.#port.end();
      this.#fail(error);
    }
  }

  #settle(id: number): void {
    this.#waiting.delete(id);
    this.#port.busy(this.#waiting.size > 0);
  }

  #fail(error: IcdCoderError): void {
    this.#closed ??= error;
    for (const [id, waiting] of this.#waiting) {
      this.#settle(id);
      waiting.reject(error);
    }
  }
}
