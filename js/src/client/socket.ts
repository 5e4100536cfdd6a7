/** One connection, as the engine sees it: what it is told ends with `closed`, said once. */
import type { WebSocketConstructor } from "./api.js";

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const LOST = 1006;
const TOO_LARGE = 1009;

export interface Told {
  opened(): void;
  message(text: string): void;
  closed(code: number, reason: string, problem: string): void;
  /** Something that is not of the protocol was passed over. */
  ignored(problem: string): void;
}

export interface Connection {
  send(text: string): void;
  /** Nothing is told any more. */
  close(code: number): void;
}

function isTooLarge(text: string): boolean {
  if (text.length * 3 <= MESSAGE_BYTES_MAX) return false;
  return text.length > MESSAGE_BYTES_MAX || new Blob([text]).size > MESSAGE_BYTES_MAX;
}

/** Begins a connection. Never throws: what is wrong with the URL is told by `closed`. */
export function dial(make: WebSocketConstructor, url: string, told: Told): Connection {
  let socket: WebSocket | undefined;
  let over = false;

  const close = (code: number): void => {
    over = true;
    try {
      socket?.close(code);
    } catch {
      socket?.close(); // browsers let a page say 1000 and what is from 3000 on only
    }
  };
  const end = (code: number, reason: string, problem: string): void => {
    if (over) return;
    close(code);
    told.closed(code, reason, problem);
  };

  try {
    socket = new make(url, "syncdb.v1");
  } catch (error) {
    queueMicrotask(() => end(LOST, "", String(error)));
    return { send() {}, close };
  }
  socket.binaryType = "arraybuffer";
  socket.onopen = () => over || told.opened();
  socket.onerror = () => {}; // a `close` follows, which says as much
  socket.onclose = ({ code, reason }) => end(code, reason, "");
  socket.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (over) return;
    if (typeof data !== "string") told.ignored("a binary message was passed over");
    else if (isTooLarge(data)) end(TOO_LARGE, "", "the server sent a message over 16 MiB");
    else told.message(data);
  };
  return { send: (text) => over || socket.send(text), close };
}
