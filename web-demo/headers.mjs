/**
 * The response headers of the page: those of the package (../wasm/js/headers.mjs, where each stands), and what this page
 * differs in. serve.mjs sends them, the build puts the policy into a `meta` element too, and a test compares PRIVACY.md
 * with them.
 */
import { COMMON, PAGE_POLICY as PACKAGE_POLICY, policyText, WORKER_POLICY } from "../wasm/js/headers.mjs";

export { COMMON, PACKAGE_POLICY, WORKER_POLICY };

/** Content-Security-Policy of the page while it loads. After the weights it takes more away: src/model/seal.ts. */
export const PAGE_POLICY = {
  ...PACKAGE_POLICY,
  // It shows no picture.
  "img-src": "'none'",
  "trusted-types": "bert-xml bert-xml-page",
};

/** Directives that browsers ignore, with a warning, in a `meta` element. */
const HEADER_ONLY = new Set(["frame-ancestors"]);

/** The service worker fetches the page's own files, and runs nothing else. */
export const SERVICE_WORKER_POLICY = "default-src 'none'; connect-src 'self'; script-src 'self'";

/** The page's policy as one value; `meta`: without what a `meta` element cannot say. */
export function pagePolicy({ meta = false } = {}) {
  return policyText(Object.fromEntries(Object.entries(PAGE_POLICY).filter(([name]) => !meta || !HEADER_ONLY.has(name))));
}

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
