import { useEffect, useRef, useState } from "react";
import type { ClientStatus } from "syncdb/client";
import { useStatus } from "syncdb/react";
import { CloudOffIcon, WarningIcon } from "./icons.js";
import { useSession } from "./session.js";

/** A reconnect that is over in a moment is nobody's business, nor is one that does not last. */
const SHOWN_AFTER_MS = 1500;
const HIDDEN_AFTER_MS = 1000;

/** Whether there has been no connection for a while. */
function useIsAway({ phase }: ClientStatus): boolean {
  const [away, setAway] = useState(false);
  const since = useRef(Date.now());
  useEffect(() => {
    if (phase === "live") {
      setAway(false);
      return () => {
        since.current = Date.now();
      };
    }
    const back = phase === "catching_up";
    const wait = back ? HIDDEN_AFTER_MS : Math.max(0, since.current + SHOWN_AFTER_MS - Date.now());
    const timer = setTimeout(() => setAway(!back), wait);
    return () => clearTimeout(timer);
  }, [phase]);
  return away;
}

/** What keeps the chat from being live and kept, when something does. */
export function Banner() {
  const client = useSession();
  const status = useStatus();
  const away = useIsAway(status);

  return (
    <div className="banners" role="status">
      {status.phase === "unauthorized" ? (
        <p className="banner warning">
          <WarningIcon />
          <span>The server does not take this sign-in. Sign out, and in again.</span>
        </p>
      ) : (
        away && (
          <p className="banner">
            <CloudOffIcon />
            <span>You are offline. What you write is kept, and sent when you are back.</span>
            <button type="button" onClick={() => client.goOnline()}>
              Try now
            </button>
          </p>
        )
      )}
      {status.storage === "memory" && status.problem !== "" && (
        <p className="banner warning">
          <WarningIcon />
          <span>
            This browser keeps nothing for this page: what is not sent is gone when it is closed.
          </span>
        </p>
      )}
    </div>
  );
}
