// A device: npm's `ws`, and a list of what it received that a test takes messages out of.
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { cleanup } from './cleanup.mjs';
import { deadline } from './wait.mjs';

export class Client {
  constructor(url, options) {
    const { protocols = ['syncdb.v1'], ...rest } = options;
    this.messages = []; // received and not yet taken
    this.waiters = [];
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...rest });
    this.socket.on('message', (data) => this.#received(JSON.parse(data.toString())));
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.on('open', resolve);
      this.socket.on('error', reject);
    });
    this.opened.catch(() => {});
    this.closed.then(({ code }) => this.#fail(new Error(`closed with ${code}`)));
  }

  #received(message) {
    const at = this.waiters.findIndex((waiter) => waiter.matches(message));
    if (at < 0) this.messages.push(message);
    else this.waiters.splice(at, 1)[0].resolve(message);
  }

  #fail(error) {
    for (const waiter of this.waiters.splice(0)) waiter.reject(error);
  }

  send(type, data) {
    this.sendText(JSON.stringify({ type, data }));
  }

  sendText(text) {
    this.socket.send(text);
  }

  /** The first message {type, data} that satisfies `matches`; it is taken off the list. */
  takeMessage(matches, what = 'message') {
    const at = this.messages.findIndex(matches);
    if (at >= 0) return Promise.resolve(this.messages.splice(at, 1)[0]);
    const taken = new Promise((resolve, reject) => {
      this.waiters.push({ matches, resolve, reject });
    });
    return deadline(taken, () => `no ${what}; received: ${JSON.stringify(this.messages)}`);
  }

  /** The data of the first message of `type` whose data satisfies `matches`. */
  async take(type, matches = () => true) {
    return (await this.takeMessage((m) => m.type === type && matches(m.data), type)).data;
  }

  /** Everything received so far, taken off the list. */
  takeAll() {
    return this.messages.splice(0);
  }

  /** Says hello and gives the server_hello. `status` is the syncStatus. */
  async hello(status = {}, more = {}) {
    this.send('client_hello', { syncStatus: status, ...more });
    return this.take('server_hello');
  }

  /** Hello, then everything up to the `synced` of each of `stores`: {hello, events, synced}. */
  async sync(stores, status = {}, more = {}) {
    const hello = await this.hello(status, more);
    const synced = {};
    for (const store of stores) synced[store] = await this.take('synced', (d) => d.store === store);
    const events = this.takeAll();
    return { hello, synced, events };
  }

  /** Pushes an object; `data` may hold id and clientId. Gives the clientId. */
  push(store, object, data = {}) {
    const clientId = data.clientId ?? randomUUID();
    this.send('update', { store, object, ...data, clientId });
    return clientId;
  }

  /** Pushes and waits for the echo. */
  async pushed(store, object, data = {}) {
    const clientId = this.push(store, object, data);
    return this.take('update', (d) => d.clientId === clientId);
  }

  /** Pushes all objects, so many at a time; gives their events in that order. */
  async pushedAll(store, objects, inFlight = 500) {
    const events = [];
    for (let i = 0; i < objects.length; i += inFlight) {
      const some = objects.slice(i, i + inFlight);
      const clientIds = some.map((object) => this.push(store, object));
      for (const id of clientIds) events.push(await this.take('update', (d) => d.clientId === id));
    }
    return events;
  }

  async removed(store, id, clientId = randomUUID()) {
    this.send('remove', { store, id, clientId });
    return this.take('remove', (d) => d.clientId === clientId);
  }

  /** What answers a push, {type, data}: its event or an error. */
  answerTo(clientId) {
    return this.takeMessage((m) => m.data?.clientId === clientId, `answer to ${clientId}`);
  }

  /** The error that answers a push. */
  errorOf(clientId) {
    return this.take('error', (d) => d.clientId === clientId);
  }

  /** A round trip: all that the server sent before has arrived when it resolves. */
  async pinged() {
    this.send('ping');
    await this.take('pong');
  }

  async close() {
    this.socket.close();
    return this.closed;
  }
}

/** Opens a connection as `user` (dev-auth), and closes it when `t` ends. */
export async function connect(t, server, user, options = {}) {
  const url = new URL(options.url ?? server.url);
  if (user) url.searchParams.set('user', user);
  const { url: _, ...rest } = options;
  const client = new Client(url, rest);
  cleanup(t, () => client.socket.terminate());
  await deadline(client.opened, () => `no connection to ${url}`);
  return client;
}

/** The same, with a hello that knows nothing, and what that brought put aside. */
export async function connectSynced(t, server, user, stores, options = {}) {
  const client = await connect(t, server, user, options);
  client.synced = await client.sync(stores, options.status, options.more);
  return client;
}

/** The status code with which an upgrade is refused. */
export async function upgradeRefused(url, options = {}) {
  const socket = new WebSocket(url, options);
  const refused = new Promise((resolve, reject) => {
    socket.on('open', () => {
      socket.terminate();
      reject(new Error('it was accepted'));
    });
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      resolve(response.statusCode);
    });
    socket.on('error', reject);
  });
  return deadline(refused, () => 'no answer to the upgrade');
}
