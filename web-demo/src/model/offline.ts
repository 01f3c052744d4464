/** Registers the service worker. Its address is the one that this page's only Trusted Types policy lets through. */
interface PolicyFactory {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): unknown };
}

export async function workOffline(): Promise<boolean> {
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
    await navigator.serviceWorker.register(trusted, { scope: "./", updateViaCache: "none" });
    await navigator.serviceWorker.ready;
    return true;
  } catch {
    // Private windows and some policies have no service workers: the page works, but only online.
    return false;
  }
}
