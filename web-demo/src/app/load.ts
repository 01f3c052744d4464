import { seal, isSealed } from "../model/seal.ts";
import { workOffline } from "../model/offline.ts";
import { failure, startModel } from "../model/start.ts";
import type { Session } from "./session.ts";

/**
 * Loads model and table, then seals the page. The service worker goes first: what is fetched after it is kept, and while
 * it controls the page even the page's own host gets nothing but requests for known files. Fonts are fetched for
 * letters that no note has shown yet: after the seal they could not be.
 */
export async function load(session: Session): Promise<void> {
  session.setModel({ phase: "loading", loading: { step: "Starting", share: 0 } });
  try {
    await workOffline();
    const model = await startModel(
      (loading) => session.setModel({ phase: "loading", loading }),
      new AbortController().signal,
    );
    await Promise.all([...document.fonts].map((font) => font.load()));
    seal(document);
    model.onDeviceLost(() => session.notice(["The GPU was lost. Coding goes on, more slowly."]));
    session.setModel({ phase: "ready", model, sealed: await isSealed(document) });
  } catch (error) {
    session.setModel({ phase: "failed", failure: failure(error) });
  }
}
