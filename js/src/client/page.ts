/** What becomes of the page that the client is in. Nothing where there is no page. */

export interface PageWatch {
  network(isThere: boolean): void;
  /** It is looked at. */
  seen(): void;
  /** It may stop here, or be kept to come back as it is. */
  left(): void;
  back(): void;
}

/** Gives the function that ends it. */
export function watchPage(watch: PageWatch): () => void {
  if (typeof document === "undefined") return () => {};
  const events: readonly [EventTarget, string, () => void][] = [
    [window, "online", () => watch.network(true)],
    [window, "offline", () => watch.network(false)],
    [document, "visibilitychange", () => document.visibilityState === "visible" && watch.seen()],
    [window, "pagehide", () => watch.left()],
    [window, "pageshow", () => watch.back()],
    [document, "freeze", () => watch.left()],
    [document, "resume", () => watch.back()],
  ];
  for (const [target, name, listener] of events) target.addEventListener(name, listener);
  return () => {
    for (const [target, name, listener] of events) target.removeEventListener(name, listener);
  };
}
