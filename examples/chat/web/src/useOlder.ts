import type { RefObject } from "react";
import { useCallback, useEffect, useRef, useState } from "react";
import { useSession } from "./session.js";
import { chatMessage } from "./stores.js";

const PAGE = 50;
/** So far above what is seen a page is asked for, so that it is there in time. */
const AHEAD = "600px 0px 0px 0px";

interface Older {
  /** For the element above the oldest message. */
  readonly top: (element: Element | null) => void;
  readonly isLoading: boolean;
}

/**
 * Loads older messages when the top of `scroller` comes near. Where none came it is not asked again
 * before `live` changes, or the top is scrolled to anew.
 */
export function useOlder(
  scroller: RefObject<HTMLElement | null>, count: number, hasOlder: boolean, live: boolean,
): Older {
  const messages = useSession().store(chatMessage);
  const [isNear, setNear] = useState(false);
  const [isLoading, setLoading] = useState(false);
  const observer = useRef<IntersectionObserver | null>(null);

  const top = useCallback(
    (element: Element | null) => {
      observer.current?.disconnect();
      observer.current = null;
      if (!element) return setNear(false);
      const options = { root: scroller.current, rootMargin: AHEAD };
      observer.current = new IntersectionObserver(
        (entries) => setNear(entries.at(-1)?.isIntersecting ?? false), options);
      observer.current.observe(element);
    },
    [scroller],
  );

  useEffect(() => {
    if (!isNear || !hasOlder) return undefined;
    let wanted = true;
    setLoading(true);
    messages.older(PAGE).catch(() => 0).then(() => wanted && setLoading(false));
    return () => {
      wanted = false;
    };
  }, [messages, isNear, hasOlder, count, live]);

  return { top, isLoading: isLoading && isNear };
}
