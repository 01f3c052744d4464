/**
 * After the weights are in memory the page needs nothing more from anywhere. A policy in a `meta` element can only take
 * rights away, so appending one closes the page for good, until it is loaded again: no fetch, no beacon, no socket, no
 * image, no style, no script from any host, its own included. Workers may start again (a trapped one is rebuilt), with
 * the policy that their own file is served with.
 */
export const SEAL = "default-src 'none'; script-src 'wasm-unsafe-eval'; worker-src 'self'";

/** Appends {@link SEAL}. Whether the browser keeps to it, {@link isSealed} asks. */
export function seal(document: Document): void {
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = SEAL;
  document.head.append(meta);
}

/** Milliseconds that the browser's word on a violation may take. */
const PATIENCE = 1000;

/**
 * Asks the browser, rather than remembering: it must refuse to fetch a file of the page that is there, and say that the
 * policy was why.
 */
export async function isSealed(document: Document): Promise<boolean> {
  const refused = new Promise<boolean>((done) => {
    document.addEventListener(
      "securitypolicyviolation",
      ({ disposition, effectiveDirective }) => done(disposition === "enforce" && effectiveDirective === "connect-src"),
      { once: true },
    );
    setTimeout(done, PATIENCE, false);
  });
  try {
    await fetch(new URL("./manifest.webmanifest", document.baseURI));
    return false;
  } catch {
    return refused;
  }
}
