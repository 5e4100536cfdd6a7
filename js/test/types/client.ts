// What a client takes and gives, by the types of its stores.
import * as z from "zod";
import { createStore } from "syncdb";
import { createClient, SyncError } from "syncdb/client";
import type { ClientStatus, SyncObject, SyncRecord } from "syncdb/client";

const note = createStore({
  name: "note", type: "event", schema: { text: z.string(), stars: z.number().optional() },
});
const account = createStore({ name: "account", type: "singular", schema: { name: z.string() } });

export async function use(): Promise<void> {
  const client = createClient({
    url: "wss://app.example/sync", stores: [note, account], token: async () => "a.b.c",
    window: { note: 50 },
  });
  const notes = client.store(note);
  const clientId: string = await notes.push({ text: "hi" });
  await notes.update(clientId, { text: "hi", stars: 3 });
  // @ts-expect-error: no such member
  await notes.push({ text: "hi", color: "red" });
  // @ts-expect-error: another type
  await notes.push({ text: 7 });
  // @ts-expect-error: a member is missing
  await notes.push({});
  // @ts-expect-error: not of an event store
  await notes.set({ text: "hi" });

  const [first] = notes.snapshot().records;
  if (first) {
    const text: string = first.object.text;
    const made: number = first.object.$createdAt;
    await notes.update(first.id ?? first.key, { ...first.object, text: text + made });
    // @ts-expect-error: snapshots are not changed in place
    first.object = { text, $createdAt: made };
    // @ts-expect-error: no such member
    void first.object.color;
  }
  const found: SyncRecord<{ text: string; stars?: number | undefined }> | undefined =
    await notes.get(clientId);
  void found;

  const mine = client.store(account);
  await mine.set({ name: "Ada" });
  // @ts-expect-error: another store's
  await mine.set({ text: "Ada" });
  // @ts-expect-error: not of a singular store
  await mine.list();
  const object: SyncObject<{ name: string }> | undefined = mine.snapshot().record?.object;
  void object;

  const end: () => void = client.on("status", (status: ClientStatus) => void status.phase);
  client.on("error", (error) => error satisfies SyncError);
  // @ts-expect-error: no such event
  client.on("surprise", () => {});
  end();
  // @ts-expect-error: an option that there is not
  createClient({ url: "wss://app.example/", stores: [note], colour: "red" });
  for (const push of await notes.failed()) await notes.discard(push.clientId);
  await client.close();
}
