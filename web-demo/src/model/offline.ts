/** Registers the service worker. Its address is the one that this page's only Trusted Types policy lets through. */
interface PolicyFactory {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): unknown };
}

/** Milliseconds for the service worker to be ready; some browsers register one and never start it. */
const PATIENCE = 5000;

let registered: Promise<boolean> | undefined;

/** Registers once, however often loading is tried: a policy's name can be taken only once. */
export function workOffline(): Promise<boolean> {
  return (registered ??= register());
}

async function register(): Promise<boolean> {
  if (!("serviceWorker" in navigator) || !import.meta.env.PROD) return false;
  const address = new URL("./sw.js", document.baseURI).href;
  const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
  const policy = factory?.createPolicy("bert-xml-page", {
    createScriptURL: (url) => {
      if (url !== address) throw new TypeError("only the service worker of this page");
      return url;
    },
  });
  const trusted = (policy?.createScriptURL(address) ?? address) as string;
  try {
    const registration = await navigator.serviceWorker.register(trusted, { scope: "./", updateViaCache: "none" });
    if (registration.waiting !== null) await renew(registration.waiting);
    const late = new Promise<false>((done) => setTimeout(done, PATIENCE, false));
    return await Promise.race([navigator.serviceWorker.ready.then(() => true), late]);
  } catch {
    // Private windows and some policies have no service workers: the page works, but only online.
    return false;
  }
}

/** Hands over to the version that the last visit fetched, and opens the page again, which is the new one then. */
async function renew(waiting: ServiceWorker): Promise<void> {
  const changed = new Promise<true>((done) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => done(true), { once: true });
  });
  waiting.postMessage("take over");
  if (await Promise.race([changed, new Promise<false>((done) => setTimeout(done, PATIENCE, false))])) {
    location.reload();
    await new Promise(() => {});
  }
}
