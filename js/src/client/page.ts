/** What becomes of the page that the client is in. Nothing where there is no page. */

export interface PageWatch {
  network(isThere: boolean): void;
  /** It is looked at. */
  seen(): void;
  /** It ends here, or is kept to come back as it is; `stops`: it stands still from now on. */
  left(stops: boolean): void;
  back(): void;
}

/** Gives the function that ends it. */
export function watchPage(watch: PageWatch): () => void {
  if (typeof document === "undefined") return () => {};
  const events: readonly [EventTarget, string, () => void][] = [
    [window, "online", () => watch.network(true)],
    [window, "offline", () => watch.network(false)],
    [document, "visibilitychange", () => document.visibilityState === "visible" && watch.seen()],
    [window, "pagehide", () => watch.left(false)],
    [window, "pageshow", () => watch.back()],
    [document, "freeze", () => watch.left(true)],
    [document, "resume", () => watch.back()],
  ];
  for (const [target, name, listener] of events) target.addEventListener(name, listener);
  return () => {
    for (const [target, name, listener] of events) target.removeEventListener(name, listener);
  };
}
