/**
 * The response headers of the page: the one place where they are written. serve.mjs sends them, the build puts the
 * policy into a `meta` element too, and a test compares PRIVACY.md with them.
 */

/** Content-Security-Policy of the page while it loads. After the weights it takes more away: src/model/seal.ts. */
export const PAGE_POLICY = {
  "default-src": "'none'",
  "script-src": "'self' 'wasm-unsafe-eval'",
  "style-src": "'self'",
  "font-src": "'self'",
  "connect-src": "'self'",
  "worker-src": "'self'",
  "manifest-src": "'self'",
  "img-src": "'none'",
  "form-action": "'none'",
  "base-uri": "'none'",
  "require-trusted-types-for": "'script'",
  "trusted-types": "bert-xml bert-xml-page",
  // A header can say this, a meta element cannot.
  "frame-ancestors": "'none'",
};

/** Directives that browsers ignore, with a warning, in a `meta` element. */
const HEADER_ONLY = new Set(["frame-ancestors"]);

/** The model's worker computes: it has no way out of its own. */
export const WORKER_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'";
/** The service worker fetches the page's own files, and runs nothing else. */
export const SERVICE_WORKER_POLICY = "default-src 'none'; connect-src 'self'; script-src 'self'";

export function pagePolicy({ meta = false } = {}) {
  return Object.entries(PAGE_POLICY)
    .filter(([name]) => !meta || !HEADER_ONLY.has(name))
    .map(([name, value]) => `${name} ${value}`)
    .join("; ");
}

/** Sent with every answer. */
export const COMMON = {
  "Connection-Allowlist": "(response-origin)",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy":
    "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), serial=(), usb=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-DNS-Prefetch-Control": "off",
};

const WORKER_FILE = /^\/assets\/[^/]*worker[^/]*\.js$/;
const HASHED = /^\/assets\//;

/** Headers for a path below the page's folder, as `/index.html`. */
export function headersFor(path) {
  const policy =
    path === "/sw.js" ? SERVICE_WORKER_POLICY : WORKER_FILE.test(path) ? WORKER_POLICY : pagePolicy();
  return {
    ...COMMON,
    "Content-Security-Policy": policy,
    "Cache-Control": HASHED.test(path) ? "public, max-age=31536000, immutable" : "no-cache",
  };
}
