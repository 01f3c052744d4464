/**
 * Ways out that no policy closes in every browser: WebRTC and new windows. Taking their names away stops what is
 * careless. Hostile code finds them again in a blank frame; then only Connection-Allowlist helps (PRIVACY.md).
 */
export function takeAway(window: Window): void {
  for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "WebTransport", "open"]) {
    Reflect.deleteProperty(window, name);
    Reflect.deleteProperty(Object.getPrototypeOf(window) as object, name);
  }
}

/** The part of the Navigation API that is used; not every TypeScript knows it. */
interface NavigateEvent extends Event {
  readonly navigationType: "push" | "replace" | "reload" | "traverse";
  /** Set for a file that is saved, which goes nowhere. */
  readonly downloadRequest: string | null;
}

/**
 * Nothing on this page leads anywhere, so a navigation is an accident or an attempt: a dropped link, a script that puts
 * words of a note into an address. Chromium lets a page refuse it; reloading and typing an address stay possible.
 */
export function guardNavigation(window: Window): void {
  const navigation = (window as Window & { navigation?: EventTarget }).navigation;
  navigation?.addEventListener("navigate", (event) => {
    const { navigationType, downloadRequest } = event as NavigateEvent;
    if (downloadRequest !== null) return;
    if (event.cancelable && (navigationType === "push" || navigationType === "replace")) event.preventDefault();
  });
  for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());
}
