/// <reference types="node" />
// The server's types: what is pushed, read and told has the type of the store's objects.
import { createServer } from "node:http";
import { z } from "zod";
import { createStore } from "syncdb";
import { createDatabase, type StoredRecord, type StoreEvent } from "syncdb/server";

const chatMessage = createStore({
  name: "chat_message",
  type: "event",
  schema: {
    role: z.enum(["user", "assistant"]), content: z.string(), stars: z.number().optional(),
  },
});
const account = createStore({ name: "account", type: "singular", schema: { name: z.string() } });

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const sure = <Holds extends true>(): Holds | undefined => undefined;

const db = createDatabase({ dbUrl: "sqlite://database.sqlite", stores: [chatMessage, account] });
type Message = { role: "user" | "assistant"; content: string; stars?: number | undefined };

db.subscribe(chatMessage, async (event, ctx) => {
  sure<Equal<typeof event, StoreEvent<Message>>>();
  const role: "user" | "assistant" = event.object.role;
  const createdAt: number = event.createdAt + event.object.$createdAt;
  const clientId: string | undefined = event.clientId;
  const previous: string | undefined = event.previous?.content;
  const action: "create" | "update" | "delete" = event.action;
  await db.push(ctx, chatMessage, { role: "assistant", content: `${role} ${createdAt}` });
  await db.update(ctx, chatMessage, event.id, { ...event.object, stars: 5 });
  await db.remove(ctx, chatMessage, event.id);
  await db.remove(ctx, account);
  await db.stream(ctx, chatMessage, { role: "assistant", content: "" }, "content", words());
  const partial = await db.partial(ctx, chatMessage, { role: "assistant" });
  partial.append("content", `${clientId} ${previous} ${action}`);
  partial.set({ content: "" });
  const { id, eventId }: { id: string; eventId: string } = await partial.commit();

  // @ts-expect-error no such role
  await db.push(ctx, chatMessage, { role: "admin", content: "" });
  // @ts-expect-error a member is missing
  await db.push(ctx, chatMessage, { role: "user" });
  // @ts-expect-error no such member
  await db.push(ctx, chatMessage, { role: "user", content: "", colour: "red" });
  // @ts-expect-error another store's object
  await db.push(ctx, account, { role: "user", content: "" });
  // @ts-expect-error a store of events has no single object
  await db.singular(ctx, chatMessage);
  // @ts-expect-error a singular store has no partials
  await db.partial(ctx, account, {});
  // @ts-expect-error an object of an event store has an id
  await db.remove(ctx, chatMessage);
  // @ts-expect-error `stars` holds no text
  partial.append("stars", "");
  // @ts-expect-error no such field
  await db.stream(ctx, chatMessage, { role: "assistant" }, "text", words());
  // @ts-expect-error what is told is not to be changed
  event.user = id + eventId;
});

async function* words(): AsyncGenerator<string> {
  yield "Hello";
}

async function read(): Promise<void> {
  const ctx = db.as("ada");
  const list: StoredRecord<Message>[] = await db.list(ctx, chatMessage, { limit: 10 });
  const one: StoredRecord<Message> | null = await db.get(ctx, chatMessage, list[0]?.id ?? "");
  const mine: string | undefined = (await db.singular(ctx, account))?.object.name;
  const { port }: { readonly port: number } = await db.listen({ port: 0, host: "127.0.0.1" });
  const server = createServer();
  server.on("upgrade", (request, socket, head) => db.handleUpgrade(request, socket, head));
  const off: () => void = db.on("error", (error, event) => console.log(error, event?.user));
  db.on("log", ({ level, event, message }) => console.log(level, event, message, one, mine, port));
  // @ts-expect-error no such event
  db.on("warning", () => {});
  off();
  await db.close({ graceMs: 1000 });
}
void read();

createDatabase({
  dbUrl: "sqlite://database.sqlite",
  stores: [chatMessage],
  authenticate: async ({ token, url, headers, remoteAddress }) =>
    token === "secret" ? { user: `${url}${headers.cookie}${remoteAddress}`, expiresMs: 0 } : null,
});
createDatabase({ dbUrl: "sqlite://x", stores: [chatMessage], authenticate: () => "ada" });
// @ts-expect-error no such option
createDatabase({ dbUrl: "sqlite://x", stores: [chatMessage], databaseUrl: "" });
// @ts-expect-error no stores
createDatabase({ dbUrl: "sqlite://x" });
