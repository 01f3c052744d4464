import { useEffect, useState } from "preact/hooks";
import type { Session, State } from "../app/session.ts";

/** The session's state; the component draws again when it changes. */
export function useSession(session: Session): State {
  const [state, setState] = useState(session.state);
  useEffect(() => {
    setState(session.state);
    return session.subscribe(() => setState(session.state)) as unknown as () => void;
  }, [session]);
  return state;
}
