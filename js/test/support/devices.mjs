// js/test/support/devices.mjs: clients in Node against real servers, and servers that say what a
// test tells them to.
import { once } from "node:events";
import { WebSocketServer } from "ws";
import { cleanup } from "../../../test/e2e/support/cleanup.mjs";
import { eventId } from "../../../test/e2e/support/scripted.mjs";
import { chatStores } from "../../../test/e2e/support/server.mjs";
import { deadline } from "../../../test/e2e/support/wait.mjs";
import { createClient } from "../../dist/client/index.js";

export { cleanup } from "../../../test/e2e/support/cleanup.mjs";
export { eventId } from "../../../test/e2e/support/scripted.mjs";
export { chatStores, startServer, temporaryFolder } from "../../../test/e2e/support/server.mjs";
export { deadline, until } from "../../../test/e2e/support/wait.mjs";

/** A store as the package has it, of one as `serve --stores` has it. */
export const storeOf = ({ name, type, schema, rules }) =>
  ({ name, type, schema, rules: rules ?? null, refine: null, check: null });

export const stores = chatStores.map(storeOf);
export const [chatMessage, account, note] = stores;

/** The text of a user's message. */
export const hello = { role: "user", content: "hi" };

/** A client in memory that is closed with `t`; what it complained about is in `errors`. */
export function device(t, url, options = {}) {
  const client = createClient({ url, stores, storage: "memory", ...options });
  client.errors = [];
  client.on("error", (error) => client.errors.push(error));
  cleanup(t, () => client.close());
  return client;
}

/** Of `user` at `server`, and with all that is there. */
export async function syncedDevice(t, server, user, options) {
  const client = device(t, `${server.url}?user=${user}`, options);
  await deadline(client.synced(), () => `never synced: ${JSON.stringify(client.status)}`);
  return client;
}

/** The first snapshot of `store` that `matches`, from now on. */
export function shown(store, matches) {
  let end;
  const found = new Promise((resolve) => {
    const look = () => matches(store.snapshot()) && resolve(store.snapshot());
    end = store.subscribe(look);
    look();
  });
  return deadline(found, () => `never shown; last: ${JSON.stringify(store.snapshot())}`)
    .finally(() => end());
}

/** The first status that `matches`, from now on. */
export function standing(client, matches) {
  let end;
  const found = new Promise((resolve) => {
    const look = () => matches(client.status) && resolve(client.status);
    end = client.on("status", look);
    look();
  });
  return deadline(found, () => `never stood so; last: ${JSON.stringify(client.status)}`)
    .finally(() => end());
}

/** The first error told from now on. */
export async function complaint(client, matches = () => true) {
  let end;
  const told = new Promise((resolve) => {
    end = client.on("error", (error) => matches(error) && resolve(error));
  });
  return deadline(told, () => `no such error; told: ${client.errors}`).finally(() => end());
}

const ALL = { after: null, before: null, more: false };

/** A device at the other end: what it said, and what it is told. */
class Peer {
  constructor(socket) {
    this.socket = socket;
    this.said = [];
    this.closed = once(socket, "close").then(([code]) => code);
  }

  send(type, data) {
    this.socket.send(JSON.stringify({ type, data }));
  }

  /** The answer to a hello by a server that holds nothing. */
  greet(names = stores.map(({ name }) => wireName(name)), database = DATABASE) {
    const heads = Object.fromEntries(names.map((name) => [name, { head: null, reset: false }]));
    this.send("server_hello", { protocol: 1, database, time: Date.now(), stores: heads });
    for (const store of names) this.send("synced", { store, ...ALL });
  }

  /** The event of a push. */
  echo({ store, object, clientId, id }, number = 1) {
    const event = eventId(number);
    this.send("update", { store, object, clientId, id: id ?? event, eventId: event });
  }

  pushes() {
    return this.said.filter(({ type }) => type === "update").map(({ data }) => data);
  }
}

const DATABASE = "01974f60-0000-7000-8000-000000000001";

export const wireName = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

/** A server that does nothing but what `onMessage(peer, message)` does. */
export async function startTalker(t, onMessage, port = 0) {
  const server = new WebSocketServer({ port, host: "127.0.0.1" });
  const peers = [];
  server.on("connection", (socket) => {
    const peer = new Peer(socket);
    peers.push(peer);
    socket.on("error", () => {});
    socket.on("message", (text) => {
      const message = JSON.parse(text);
      peer.said.push(message);
      onMessage(peer, message);
    });
  });
  await once(server, "listening");
  cleanup(t, () => {
    for (const socket of server.clients) socket.terminate();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `ws://127.0.0.1:${server.address().port}/?user=ada`, peers };
}
