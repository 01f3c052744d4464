import { seal, isSealed } from "../model/seal.ts";
import { workOffline } from "../model/offline.ts";
import { failure, startModel } from "../model/start.ts";
import type { Session } from "./session.ts";

/**
 * Loads model and table, then seals the page. The service worker goes first: it keeps what it is made for, and when it
 * controls the page even the page's own host gets nothing but requests for known files.
 */
export async function load(session: Session): Promise<void> {
  session.setModel({ phase: "loading", loading: { step: "Starting", share: 0 } });
  const offline = workOffline();
  try {
    const model = await startModel(
      (loading) => session.setModel({ phase: "loading", loading }),
      new AbortController().signal,
    );
    await offline;
    seal(document);
    model.onDeviceLost(() => session.notice(["The GPU was lost. Coding goes on, more slowly."]));
    session.setModel({ phase: "ready", model, sealed: await isSealed() });
  } catch (error) {
    session.setModel({ phase: "failed", failure: failure(error) });
  }
}
