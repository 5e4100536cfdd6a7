// What the hooks give, typed by the store, and what they do not take.
import { z } from "zod";
import { createStore } from "syncdb";
import { createClient } from "syncdb/client";
import { SyncdbProvider, useSingular, useStatus, useStore } from "syncdb/react";

const note = createStore({ name: "note", type: "event", schema: { text: z.string() } });
const account = createStore({ name: "account", type: "singular", schema: { name: z.string() } });
const client = createClient({ url: "ws://127.0.0.1/?user=ada", stores: [note, account] });

function Notes() {
  const { records, hasOlder, loading, older, push, update, remove } = useStore(note);
  const { record, set } = useSingular(account, { client });
  const { phase, pending, storage } = useStatus();
  // @ts-expect-error a note has its text
  void push({ title: "" });
  // @ts-expect-error an account has its name
  void set({ text: "" });
  // @ts-expect-error a note is one of many
  useSingular(note);
  // @ts-expect-error there is one account
  useStore(account);
  void push({ text: "hi" }).then((clientId: string) => update(clientId, { text: "ho" }));
  if (hasOlder && !loading) void older(20);
  return (
    <ul title={`${phase} ${pending} ${storage} ${record?.object.name ?? ""}`}>
      {records.map(({ key, id, object }) => (
        <li key={key} onClick={() => id && remove(id)}>
          {object.text.toUpperCase()} {object.$createdAt.toFixed()}
        </li>
      ))}
    </ul>
  );
}

export const page = <SyncdbProvider client={client}><Notes /></SyncdbProvider>;
export const noClient = <SyncdbProvider client={null} />;
// @ts-expect-error a client is said, or that there is none
export const nothing = <SyncdbProvider />;
// @ts-expect-error this is no client
export const wrong = <SyncdbProvider client={{}} />;
