/** The control: a page without any policy, on which every planted leak must be seen, or the oracles are blind. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

const HTML = `<!doctype html><title>bare</title><script>worker = new Worker("worker.js", { type: "module" })</script>`;

export async function bare(): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    const script = /\.js(\?|$)/.test(request.url ?? "");
    response.writeHead(200, { "Content-Type": script ? "text/javascript" : "text/html" });
    response.end(script ? "" : HTML);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return { server, port: (server.address() as AddressInfo).port };
}
