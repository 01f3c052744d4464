/**
 * After the weights are in memory the page needs nothing more from anywhere. A policy in a `meta` element can only take
 * rights away, so appending one closes the page for good, until it is loaded again: no fetch, no beacon, no socket, no
 * image, no style, no script from any host, its own included. Workers may start again (a trapped one is rebuilt), with
 * the policy that their own file is served with.
 */
export const SEAL = "default-src 'none'; script-src 'wasm-unsafe-eval'; worker-src 'self'";

export function seal(document: Document): void {
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = SEAL;
  document.head.append(meta);
}

/** Asks the browser, rather than remembering: a fetch of the page's own address must fail. */
export async function isSealed(): Promise<boolean> {
  try {
    await fetch(new URL("./", document.baseURI), { method: "HEAD", cache: "no-store" });
    return false;
  } catch {
    return true;
  }
}
