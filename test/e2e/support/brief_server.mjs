// A server that knows the brief's messages and not one more: client_hello, update, partial, remove.
// No server_hello, no synced, no eventId, no error, no pong. In memory, one user.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { WebSocketServer } from 'ws';
import { cleanup } from './cleanup.mjs';

/** A UUIDv7 that is greater than every one before. */
function idMaker() {
  let last = 0;
  return () => {
    last = Math.max(Date.now(), last + 1);
    const time = last.toString(16).padStart(12, '0');
    const random = randomBytes(9).toString('hex');
    return (
      `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}` +
      `-8${random.slice(3, 6)}-${random.slice(6, 18)}`
    );
  };
}

export class BriefServer {
  constructor() {
    this.nextId = idMaker();
    this.events = []; // {type, data}, oldest first, each with its place in the log
    this.hellos = [];
    this.byClientId = new Map();
    this.dropAfter = Infinity; // messages that a connection is sent before it is cut
  }

  async listen(t, port = 0) {
    this.sockets = new WebSocketServer({ host: '127.0.0.1', port });
    await once(this.sockets, 'listening');
    cleanup(t, () => this.close());
    this.url = `ws://127.0.0.1:${this.sockets.address().port}`;
    this.sockets.on('connection', (socket) => this.#accept(socket));
    return this;
  }

  async close() {
    for (const socket of this.sockets.clients) socket.terminate();
    await new Promise((resolve) => this.sockets.close(resolve));
  }

  #accept(socket) {
    socket.left = this.dropAfter;
    socket.on('message', (text) => {
      const { type, data } = JSON.parse(text);
      if (type === 'client_hello') this.#hello(socket, data);
      else if (type === 'update') this.push(data);
      else if (type === 'remove') this.remove(data.id);
    });
  }

  #send(socket, message) {
    if (socket.left-- <= 0) socket.terminate();
    else socket.send(JSON.stringify(message));
  }

  /** What lies above the heads, newest first. */
  #hello(socket, { syncStatus }) {
    this.hellos.push(syncStatus);
    for (const { place, ...message } of [...this.events].reverse()) {
      const head = syncStatus[message.data.store ?? ''];
      if (!head || place > head) this.#send(socket, message);
    }
  }

  #log(type, data, place) {
    this.events = this.events.filter((event) => event.data.id !== data.id);
    this.events.push({ type, data, place });
    this.tell({ type, data });
  }

  tell(message) {
    for (const socket of this.sockets.clients) this.#send(socket, message);
  }

  push({ store, object, clientId, id: replaced }) {
    if (this.byClientId.has(clientId)) return this.tell(this.byClientId.get(clientId));
    const place = this.nextId();
    const id = replaced ?? place;
    const data = { store, object: { $createdAt: Date.now(), ...object }, id };
    if (clientId) this.byClientId.set(clientId, { type: 'update', data: { ...data, clientId } });
    this.#log('update', clientId ? { ...data, clientId } : data, place);
  }

  partial(store, object, id = this.nextId()) {
    this.tell({ type: 'partial', data: { store, object, id } });
    return id;
  }

  remove(id) {
    this.#log('remove', { id }, this.nextId());
  }
}
