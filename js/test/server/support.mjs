// What the tests of `syncdb/server` share: the brief's stores, a database that ends with its test.
import { test } from "node:test";
import { createStore } from "../../dist/index.js";
import { createDatabase } from "../../dist/server/index.js";
import { z } from "zod";
import { cleanup } from "../../../test/e2e/support/cleanup.mjs";
import { temporaryFolder } from "../../../test/e2e/support/server.mjs";

export { cleanup } from "../../../test/e2e/support/cleanup.mjs";
export { Client, connect, connectSynced } from "../../../test/e2e/support/client.mjs";
export { temporaryFolder } from "../../../test/e2e/support/server.mjs";
export { deadline, until } from "../../../test/e2e/support/wait.mjs";
export { createDatabase, createStore, test, z };

/** The brief's. */
export const chatMessage = createStore({
  name: "chat_message",
  type: "event",
  schema: { role: z.string(), content: z.string() },
  validateUpdate(action, object) {
    if (action === "create" && object.role !== "user") {
      throw new Error("Only user messages can be created!");
    }
    if (action !== "create" && action !== "delete") {
      throw new Error("Only create and delete actions can be performed.");
    }
  },
});

export const account = createStore({
  name: "account",
  type: "singular",
  schema: { name: z.string().min(1) },
});

/** Objects that clients may replace. */
export const note = createStore({ name: "note", type: "event", schema: { text: z.string() } });

export const stores = [chatMessage, account, note];

/** The text of a user's message. */
export const hello = { role: "user", content: "hi" };

/** A database in `folder`, or in one of its own; closed when `t` ends. */
export function open(t, options = {}) {
  const { folder = temporaryFolder(t), ...rest } = options;
  const db = createDatabase({ dbUrl: `sqlite://${folder}/database.sqlite`, stores, ...rest });
  cleanup(t, () => db.close());
  return db;
}

/** A database that devices can connect to: `{db, url, http}`. */
export async function serve(t, options = {}, listen = {}) {
  const db = open(t, { devAuth: true, ...options });
  const { port } = await db.listen(listen);
  return { db, url: `ws://127.0.0.1:${port}`, http: `http://127.0.0.1:${port}`, port };
}

/** A promise, and what settles it. */
export function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
