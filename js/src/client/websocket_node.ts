/** `#websocket` in Node, whose own came with version 22 and takes messages of any size. */
import { WebSocket } from "ws";
import type { WebSocketConstructor } from "./api.js";

export const webSocket = WebSocket as unknown as WebSocketConstructor;
