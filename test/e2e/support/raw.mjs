// A socket without a WebSocket library, for frames that no library would send.
import { once } from 'node:events';
import net from 'node:net';
import { cleanup } from './cleanup.mjs';
import { deadline } from './wait.mjs';

const MASK = Buffer.from([1, 2, 3, 4]);

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;

/** One frame, masked as a client must. The options say what to do wrong, or unusually. */
export function frame(payload, options = {}) {
  const { opcode = TEXT, fin = true, reserved = 0, masked = true, announce } = options;
  const body = Buffer.from(payload);
  const size = announce ?? body.length;
  const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode];
  const maskBit = masked ? 0x80 : 0;
  if (size < 126) head.push(maskBit | size);
  else if (size < 65536) head.push(maskBit | 126, size >> 8, size & 255);
  else {
    const wide = Buffer.alloc(8);
    wide.writeBigUInt64BE(BigInt(size));
    head.push(maskBit | 127, ...wide);
  }
  if (!masked) return Buffer.concat([Buffer.from(head), body]);
  const hidden = Buffer.from(body.map((byte, at) => byte ^ MASK[at % 4]));
  return Buffer.concat([Buffer.from(head), MASK, hidden]);
}

export class RawSocket {
  constructor(port) {
    this.received = Buffer.alloc(0);
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.on('data', (data) => {
      this.received = Buffer.concat([this.received, data]);
      this.socket.emit('grown');
    });
    this.socket.on('error', () => {}); // a reset is an end like another
    this.ended = new Promise((resolve) => this.socket.on('close', resolve));
    this.ended.then(() => this.socket.emit('grown'));
  }

  write(data) {
    this.socket.write(data);
    return this;
  }

  /** Waits until what was received satisfies `condition`, or the connection is gone. */
  async until(condition, what) {
    while (!condition(this.received)) {
      if (this.socket.destroyed) throw new Error(`ended before ${what}: ${this.received}`);
      await deadline(once(this.socket, 'grown'), () => `no ${what}: ${this.received}`);
    }
  }

  /** Everything the server sends up to its end. */
  async rest() {
    await deadline(this.ended, () => `the server does not close: ${this.received}`);
    return this.received;
  }

  /** The status of the HTTP answer; what follows the head stays in `received`. */
  async httpStatus() {
    await this.until((data) => data.includes('\r\n\r\n'), 'HTTP answer');
    const end = this.received.indexOf('\r\n\r\n');
    const head = this.received.subarray(0, end).toString();
    this.received = this.received.subarray(end + 4);
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  }

  /** The code of the close frame that the server sends; 1006 when it ends without one. */
  async closeCode() {
    const found = () => findClose(this.received) ?? (this.socket.destroyed ? 1006 : undefined);
    await this.until(() => found() !== undefined, 'close frame');
    return found();
  }
}

/** The code in the first close frame among `frames` (of a server: not masked), if there is one. */
function findClose(frames) {
  let rest = frames;
  while (rest.length >= 2) {
    const short = rest[1] & 127;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < head) return undefined;
    let size = short;
    if (short === 126) size = rest.readUInt16BE(2);
    if (short === 127) size = Number(rest.readBigUInt64BE(2));
    if (rest.length < head + size) return undefined;
    if ((rest[0] & 15) === CLOSE) return size >= 2 ? rest.readUInt16BE(head) : 1005;
    rest = rest.subarray(head + size);
  }
  return undefined;
}

export function upgradeRequest(pathAndQuery, headers = {}) {
  const all = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${pathAndQuery} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** A raw socket, closed when `t` ends. */
export function rawSocket(t, server) {
  const raw = new RawSocket(server.port);
  cleanup(t, () => raw.socket.destroy());
  return raw;
}

/** A raw socket behind a finished upgrade as `user`. */
export async function rawWebSocket(t, server, user) {
  const raw = rawSocket(t, server).write(upgradeRequest(`/?user=${user}`));
  const status = await raw.httpStatus();
  if (status !== 101) throw new Error(`the upgrade gave ${status}`);
  return raw;
}
