import type { IncomingMessage, Server, ServerResponse } from "node:http";

export interface Served {
  server: Server;
  /** As `http://127.0.0.1:8080/`. */
  url: string;
}
export function answer(
  request: IncomingMessage,
  response: ServerResponse,
  folders: { dist: string; model: string | undefined },
): Promise<unknown>;
export function serve(options?: { port?: number; dist?: string; model?: string; tries?: number }): Promise<Served>;
