/** The server's URL, however it is written. */
import { SyncError } from "./error.js";

/**
 * As a WebSocket takes it: `http` is `ws`, what is relative is so to the page, no fragment. Throws
 * `invalid_argument`.
 */
export function socketUrl(url: string | URL): URL {
  let made: URL | undefined;
  try {
    made = new URL(url, globalThis.location?.href);
    made.protocol = made.protocol.replace("http", "ws");
    made.hash = "";
  } catch {
    // said below
  }
  if (made?.protocol !== "ws:" && made?.protocol !== "wss:")
    throw new SyncError("invalid_argument", `url: ${String(url)} is no URL of a server`);
  return made;
}
