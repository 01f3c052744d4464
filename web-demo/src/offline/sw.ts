/**
 * The service worker. It keeps the page's own files, so that it opens without a network, and it is a gate: while it
 * controls the page, the host sees GET requests for known files and nothing else. A request with a query, with a body
 * or for an unknown name is answered here, and a navigation always with the page that is stored. A newer version is
 * fetched in one visit and used from the next.
 */
export {};

interface Asset {
  /** Path from the page's folder. */
  path: string;
  /** Subresource integrity, checked by the browser at every fetch. */
  integrity: string;
  /** Fetched at install; the others when they are first used. */
  first: boolean;
}

/** Written by the build (vite.config.ts). */
declare const __ASSETS__: Asset[];
declare const __VERSION__: string;

interface WorkerScope extends EventTarget {
  registration: { scope: string };
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
}
interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface FetchEvent extends ExtendableEvent {
  request: Request;
  respondWith(response: Promise<Response> | Response): void;
}

const worker = globalThis as unknown as WorkerScope;
const PREFIX = "bert-xml-page-";
const CACHE = PREFIX + __VERSION__;
const scope = new URL(worker.registration.scope);
const index = new URL("index.html", scope).href;
const known = new Map(__ASSETS__.map((asset) => [new URL(asset.path, scope).href, asset]));
/** Files of a model folder in format v1. */
const MODEL_FILE = /^model\/(manifest\.json|labels\.tsv|tokenizer\.json|weights-\d{5}\.bin)$/;

worker.addEventListener("install", (event) => {
  const keep = async (): Promise<void> => {
    const cache = await caches.open(CACHE);
    const first = [...known].filter(([, asset]) => asset.first);
    await Promise.all(first.map(async ([url, asset]) => cache.put(url, await fresh(url, asset))));
  };
  (event as ExtendableEvent).waitUntil(keep());
});

// A newer version waits until a page says so at its start: under a page that is loading, its files must not go away.
worker.addEventListener("message", (event) => {
  if ((event as MessageEvent).data === "take over") (event as ExtendableEvent & MessageEvent).waitUntil(worker.skipWaiting());
});

worker.addEventListener("activate", (event) => {
  const forget = async (): Promise<void> => {
    const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await worker.clients.claim();
  };
  (event as ExtendableEvent).waitUntil(forget());
});

worker.addEventListener("fetch", (event) => {
  const { request } = event as FetchEvent;
  (event as FetchEvent).respondWith(answer(request));
});

async function answer(request: Request): Promise<Response> {
  const url = new URL(request.url);
  if (url.origin !== scope.origin || request.method !== "GET") return Response.error();
  if (request.mode === "navigate") return kept(index);
  if (url.search !== "") return refused();
  url.hash = "";
  if (known.has(url.href)) return kept(url.href);
  const path = url.pathname.slice(scope.pathname.length);
  return url.pathname.startsWith(scope.pathname) && MODEL_FILE.test(path)
    ? fetch(request, { credentials: "omit" })
    : refused();
}

/** From the cache, or from the host and then kept. */
async function kept(url: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  const found = await cache.match(url);
  if (found !== undefined) return found;
  const response = await fresh(url, known.get(url)!);
  await cache.put(url, response.clone());
  return response;
}

async function fresh(url: string, { integrity }: Asset): Promise<Response> {
  const response = await fetch(url, { integrity, cache: "no-cache", credentials: "omit" });
  if (!response.ok) throw new TypeError(`a file of the page is missing (${response.status})`);
  return response;
}

function refused(): Response {
  return new Response("", { status: 404, statusText: "Not a file of this page" });
}
