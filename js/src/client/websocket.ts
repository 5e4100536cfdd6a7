/** The platform's WebSocket: what `#websocket` is but in Node. */
import type { WebSocketConstructor } from "./api.js";

export const webSocket: WebSocketConstructor | undefined = globalThis.WebSocket;
