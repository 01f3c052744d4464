/**
 * The response headers under which a page keeps its notes to itself: the one place where they are written. `npx bert-xml
 * headers` prints them, web-demo/headers.mjs builds on them, and the package's README.md says what each one stops. Plain
 * JavaScript, so that the page's server and its build read this file itself.
 */

/** Content-Security-Policy of a page while it loads: nothing but its own host. @type {Record<string, string>} */
export const PAGE_POLICY = {
  "default-src": "'none'",
  "script-src": "'self' 'wasm-unsafe-eval'",
  "style-src": "'self'",
  "font-src": "'self'",
  "connect-src": "'self'",
  "worker-src": "'self'",
  "manifest-src": "'self'",
  "img-src": "'self'",
  "form-action": "'none'",
  "base-uri": "'none'",
  "require-trusted-types-for": "'script'",
  "trusted-types": "bert-xml",
  // A header can say this, a meta element cannot.
  "frame-ancestors": "'none'",
};

/** The model's worker computes: it has no way out of its own. */
export const WORKER_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'";

/** Sent with every answer. @type {Record<string, string>} */
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

/** Directives as the value of one header. @param {Record<string, string>} directives */
export function policyText(directives) {
  return Object.entries(directives)
    .map(([name, value]) => `${name} ${value}`)
    .join("; ");
}
