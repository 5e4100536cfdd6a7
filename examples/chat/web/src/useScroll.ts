/**
 * Where the list of messages is scrolled to.
 *
 * The scroller lays its content out from the bottom (`column-reverse`), so position 0 is the newest
 * message, and what is added above, an older page, moves nothing by itself. At the bottom it stays
 * there while answers grow. Anywhere else what is being read must keep its place, so the first
 * message in view is held where it is whenever the content changes.
 */
import type { RefObject } from "react";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

const AT_BOTTOM_PX = 40;

interface Anchor {
  readonly element: Element;
  readonly top: number;
}

interface Scroll {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly atBottom: boolean;
  readonly toBottom: () => void;
}

function firstInView(scroller: Element): Anchor | null {
  const { top } = scroller.getBoundingClientRect();
  for (const element of scroller.querySelectorAll("[data-key]")) {
    const box = element.getBoundingClientRect();
    if (box.bottom > top) return { element, top: box.top };
  }
  return null;
}

/** `content` is what decides whether the list changed. */
export function useScroll(content: unknown): Scroll {
  const scroller = useRef<HTMLDivElement>(null);
  const anchor = useRef<Anchor | null>(null);
  const [atBottom, setAtBottom] = useState(true);

  const look = useCallback(() => {
    const { current } = scroller;
    if (!current) return;
    const bottom = -current.scrollTop < AT_BOTTOM_PX;
    anchor.current = bottom ? null : firstInView(current);
    setAtBottom(bottom);
  }, []);

  useEffect(() => {
    const { current } = scroller;
    if (!current) return undefined;
    current.addEventListener("scroll", look, { passive: true });
    const sizes = new ResizeObserver(look);
    sizes.observe(current);
    return () => {
      current.removeEventListener("scroll", look);
      sizes.disconnect();
    };
  }, [look]);

  useLayoutEffect(() => {
    const { current } = scroller;
    const held = anchor.current;
    if (!current) return;
    if (held?.element.isConnected) {
      current.scrollTop += held.element.getBoundingClientRect().top - held.top;
      anchor.current = { ...held, top: held.element.getBoundingClientRect().top };
    } else if (!held) {
      current.scrollTop = 0;
    }
  }, [content]);

  const toBottom = useCallback(() => {
    anchor.current = null;
    scroller.current?.scrollTo({ top: 0 });
  }, []);
  return { scroller, atBottom, toBottom };
}
