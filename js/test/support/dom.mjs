// A page for React: import it before react-dom. `pretendToBeVisual` gives frames.
import { JSDOM } from "jsdom";

export const { window } = new JSDOM("<!doctype html><body></body>", { pretendToBeVisual: true });
const names = ["document", "navigator", "HTMLElement", "Node", "requestAnimationFrame"];
for (const name of names)
  Object.defineProperty(globalThis, name, { value: window[name], configurable: true });
globalThis.window = window;
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

/** An element of the page, which goes when the test ends. */
export function place(t) {
  const element = window.document.body.appendChild(window.document.createElement("div"));
  t.after(() => element.remove());
  return element;
}
