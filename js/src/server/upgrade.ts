/**
 * Connections of another server: its WebSocket upgrades are handed to the library. A plain TCP
 * socket goes over itself; of anything else (TLS, a proxy's stream) the library gets one end of a
 * pair of sockets, and what flows through the other end is passed on here.
 */
import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Native, NativeHandle } from "./native.js";

/** The request as it came: Node keeps its lines as they were. */
function headOf(request: IncomingMessage): Buffer {
  const lines = [`${request.method ?? "GET"} ${request.url ?? "/"} HTTP/${request.httpVersion}`];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
  }
  return Buffer.from(lines.join("\r\n") + "\r\n\r\n", "latin1");
}

/** The descriptor of a socket that is nothing but TCP; -1 of all others. */
function descriptorOf(socket: Duplex): number {
  if (!(socket instanceof Socket) || "encrypted" in socket) return -1;
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: unknown } };
  return typeof handle?.fd === "number" ? handle.fd : -1;
}

/** What was read behind the request, `head` and what came since. */
function restOf(socket: Duplex, head: Buffer): Buffer {
  const pieces = [head];
  for (let piece: unknown = socket.read(); piece !== null; piece = socket.read()) {
    pieces.push(piece as Buffer);
  }
  return Buffer.concat(pieces);
}

/** The library has the socket itself: nothing of Node's may read from it or end it. */
function giveAway(native: Native, handle: NativeHandle, fd: number, told: Told): void {
  const { _handle: reader } = told.socket as unknown as { _handle: { readStop(): void } };
  reader.readStop();
  const rest = restOf(told.socket, told.rest);
  const own = native.duplicate(fd);
  try {
    native.adopt(handle, own, told.head, rest, ""); // the library asks the socket whose it is
  } catch (error) {
    native.closeDescriptor(own);
    throw error;
  }
  told.socket.destroy(); // closes Node's descriptor only
}

/** The library has one end of a pair; `socket` and the other end are joined. */
function passOn(native: Native, handle: NativeHandle, told: Told): void {
  const [theirs, ours] = native.socketPair();
  try {
    native.adopt(handle, theirs, told.head, told.rest, told.remote);
  } catch (error) {
    native.closeDescriptor(theirs);
    native.closeDescriptor(ours);
    throw error;
  }
  const inner = new Socket({ fd: ours, readable: true, writable: true });
  const { socket } = told;
  const cut = () => {
    inner.destroy();
    socket.destroy();
  };
  inner.on("error", cut).once("end", () => socket.end(() => socket.destroy()));
  socket.on("error", cut).once("close", () => inner.destroy());
  socket.pipe(inner);
  inner.pipe(socket, { end: false });
}

interface Told {
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly rest: Buffer;
  readonly remote: string;
}

/** Hands a connection over. Throws what `adopt` throws; the socket is the caller's then. */
export function adopt(
  native: Native,
  handle: NativeHandle,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const remote = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  const told = { socket, head: headOf(request), rest: head, remote };
  const fd = descriptorOf(socket);
  if (fd >= 0) giveAway(native, handle, fd, told);
  else passOn(native, handle, told);
}
