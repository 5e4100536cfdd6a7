/** When what changed is shown: at most once a frame; where no frames are drawn, soon. */

const LATE_MS = 250; // a page that was hidden meanwhile draws no frame

/** Gives a function that has `run` called in the next frame, once for all calls until then. */
export function inNextFrame(run: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = (): void => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    run();
  };
  return () => {
    if (timer !== undefined) return;
    const isVisible = globalThis.document?.visibilityState === "visible";
    timer = setTimeout(show, isVisible ? LATE_MS : 0);
    if (isVisible) requestAnimationFrame(show);
  };
}
