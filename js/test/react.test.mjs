// The hooks under React: what is shown, what keeps its identity, who listens; on a server, in
// strict mode, in transitions; and with a real client of a real server.
import { place } from "./support/dom.mjs";
import assert from "node:assert/strict";
import test from "node:test";
import * as React from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { startServer } from "../../test/e2e/support/server.mjs";
import { createClient } from "../dist/client/index.js";
import { jsonStore } from "../dist/module.js";
import {
  SyncdbProvider, useClient, useSingular, useStatus, useStore,
} from "../dist/react/index.js";
import { entry } from "./support/check.mjs";
import { FakeClient, record } from "./support/fake_client.mjs";

const { act, createElement: h, StrictMode } = React;
const schema = {
  type: "object", properties: { text: { type: "string", maxLength: 20 } }, required: ["text"],
  additionalProperties: false,
};
const note = jsonStore({ name: "note", type: "event", schema });
const account = jsonStore({ name: "account", type: "singular", schema });

/** Shows a list's texts; `seen` gets the view of each rendering. */
function List({ seen, options }) {
  const view = useStore(note, options);
  seen?.push(view);
  return h("p", null, view.loading ? "loading" : view.records.map((r) => r.object.text).join(","));
}

const provided = (client, ...children) => h(SyncdbProvider, { client }, ...children);

async function show(t, element) {
  const at = place(t), root = createRoot(at);
  await act(async () => root.render(element));
  t.after(() => {
    globalThis.IS_REACT_ACT_ENVIRONMENT = true;
    return act(async () => root.unmount());
  });
  return { at, root, render: (next) => act(async () => root.render(next)) };
}

test("a list is shown, and again when it changes", async (t) => {
  const client = new FakeClient(note);
  const { at } = await show(t, provided(client, h(List)));
  assert.equal(at.textContent, "");
  await act(async () => client.store(note).change({ records: [record("1", "a")] }));
  assert.equal(at.textContent, "a");
  const records = [record("2", "b"), record("1", "a")];
  await act(async () => client.store(note).change({ records }));
  assert.equal(at.textContent, "b,a");
});

test("what has not changed keeps its identity", async (t) => {
  const client = new FakeClient(note), seen = [];
  const shown = await show(t, provided(client, h(List, { seen })));
  await shown.render(provided(client, h(List, { seen, again: 1 })));
  assert.equal(seen.length, 2);
  assert.equal(seen[0], seen[1]);
  const one = record("1", "a");
  await act(async () => client.store(note).change({ records: [one] }));
  const last = seen.at(-1);
  assert.notEqual(last, seen[0]);
  assert.equal(last.records[0], one);
  for (const name of ["push", "update", "remove", "older", "retry", "discard"])
    assert.equal(last[name], seen[0][name], name);
  assert.equal(last.push, client.store(note).push);
});

test("items that are memoized are rendered when they change, and only then", async (t) => {
  const rendered = [];
  const Item = React.memo(({ record: { id, object } }) => {
    rendered.push(id);
    return object.text;
  });
  const Items = () => useStore(note).records.map((one) => h(Item, { key: one.key, record: one }));
  const client = new FakeClient(note), first = record("1", "a");
  client.store(note).change({ records: [first] });
  const { at } = await show(t, provided(client, h(Items)));
  await act(async () => client.store(note).change({ records: [record("2", "b"), first] }));
  await act(async () => client.store(note).change({ records: [record("2", "bc"), first] }));
  assert.deepEqual(rendered, ["1", "2", "2"]);
  assert.equal(at.textContent, "bca");
});

test("in strict mode one listener is left, and none after the end", async (t) => {
  const client = new FakeClient(note, account);
  const All = () => {
    useStore(note);
    useSingular(account);
    useStatus();
    return null;
  };
  const { render } = await show(t, h(StrictMode, null, provided(client, h(All))));
  const counts = () => [client.store(note).listeners, client.store(account).listeners,
    client.statusListeners].map((one) => one.size);
  assert.deepEqual(counts(), [1, 1, 1]);
  await render(null);
  assert.deepEqual(counts(), [0, 0, 0]);
});

test("another client's lists are shown when the client is another", async (t) => {
  const ada = new FakeClient(note), bob = new FakeClient(note);
  ada.store(note).change({ records: [record("1", "ada's")] });
  bob.store(note).change({ records: [record("2", "bob's")] });
  const { at, render } = await show(t, provided(ada, h(List)));
  assert.equal(at.textContent, "ada's");
  await render(provided(bob, h(List)));
  assert.equal(at.textContent, "bob's");
  assert.equal(ada.store(note).listeners.size, 0);
  await render(provided(bob, h(List, { options: { client: ada } })));
  assert.equal(at.textContent, "ada's");
});

test("without a client yet, nothing is there, and changes reject", async (t) => {
  const views = {};
  const All = () => {
    Object.assign(views, { list: useStore(note), one: useSingular(account), status: useStatus() });
    return h("p", null, String(useClient()));
  };
  const { at, render } = await show(t, provided(null, h(All)));
  assert.equal(at.textContent, "null");
  const { list, one, status } = views;
  assert.deepEqual([list.records, list.loading, list.hasOlder], [[], true, false]);
  assert.deepEqual([one.record, one.loading], [undefined, true]);
  assert.deepEqual([status.phase, status.pending], ["offline", 0]);
  for (const promise of [list.push({}), list.update("1", {}), list.remove("1"), list.older(),
    list.retry("1"), list.discard("1"), one.set({}), one.remove()])
    await assert.rejects(promise, { name: "SyncError", code: "unavailable" });
  await render(provided(null, h(All)));
  assert.equal(views.list, list);
  await render(provided(new FakeClient(note, account), h(All)));
  assert.equal(views.list.loading, false);
  assert.equal(views.status.phase, "live");
});

test("without a provider it is said what is missing", () => {
  assert.throws(() => renderToString(h(List)), /put <SyncdbProvider client=\{\.\.\.\}> above/);
  const other = new FakeClient();
  assert.throws(() => renderToString(provided(other, h(List))), /no store note/);
});

test("a server renders what is there before anything is loaded, and asks no client", async (t) => {
  const client = new FakeClient(note, account);
  client.store(note).change({ records: [record("1", "a")] });
  client.store(account).change({ record: record("2", "Ada") });
  const Page = () => h("div", null, h(List), h("b", null, useSingular(account).record?.object.text),
    h("i", null, useStatus().phase));
  const html = renderToString(provided(client, h(Page)));
  assert.equal(html, "<div><p>loading</p><b></b><i>offline</i></div>");
  assert.equal(client.store(note).asked + client.store(account).asked, 0);

  const at = place(t), errors = [];
  at.innerHTML = html;
  const root = await act(async () => hydrateRoot(at, provided(client, h(Page)),
    { onRecoverableError: (error) => errors.push(error) }));
  t.after(() => act(async () => root.unmount()));
  assert.deepEqual(errors, []);
  assert.equal(at.textContent, "aAdalive");
});

/** For tests in which React renders as it does in a page, by itself. */
function withoutAct() {
  globalThis.IS_REACT_ACT_ENVIRONMENT = false;
}

/** Waits until the page shows it. */
async function until(at, expected) {
  const ended = AbortSignal.timeout(20_000);
  while (at.textContent !== expected) {
    if (ended.aborted) assert.equal(at.textContent, expected);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("an event in the midst of a transition leaves no two states on the page", async (t) => {
  const client = new FakeClient(note), commits = [];
  const texts = (text) => client.store(note).change({ records: [record("1", text)] });
  let widen, begun = 0;
  function Slow() { // longer than React renders without a pause
    begun++;
    for (const end = performance.now() + 12; performance.now() < end;);
    return null;
  }
  function Page() {
    const [wide, setWide] = React.useState(false);
    widen = () => React.startTransition(() => setWide(true));
    const at = React.useRef(null);
    React.useLayoutEffect(() => void commits.push(at.current.textContent));
    return h("div", { ref: at }, h(List), "|", h(List),
      wide && [h(Slow, { key: 1 }), h(Slow, { key: 2 }), "|", h(List, { key: 3 })]);
  }
  texts("a");
  const { at } = await show(t, provided(client, h(Page)));
  withoutAct();
  widen();
  while (begun === 0) await new Promise(setImmediate);
  assert.equal(at.textContent, "a|a"); // it is being rendered
  texts("b");
  await until(at, "b|b|b");
  for (const text of commits) assert.equal(new Set(text.split("|")).size, 1, text);
});

test("the object of a singular store and the status are shown as they are", async (t) => {
  const client = new FakeClient(account);
  const Page = () => `${useSingular(account).record?.object.text} ${useStatus().phase}`;
  const { at } = await show(t, provided(client, h(Page)));
  assert.equal(at.textContent, "undefined live");
  await act(async () => client.store(account).change({ record: record("1", "Ada") }));
  await act(async () => client.setStatus({ phase: "offline" }));
  assert.equal(at.textContent, "Ada offline");
});

// ---- a real client, of a real server ----

test("a page and another device are in step", async (t) => {
  const server = await startServer(t, { stores: [entry(note), entry(account)] });
  const device = (user) => {
    const stores = [note, account];
    const client = createClient({ url: `${server.url}/?user=${user}`, stores, storage: "memory" });
    t.after(() => client.close());
    return client;
  };
  const [page, other] = [device("ada"), device("ada")];
  let view;
  const Page = () => {
    view = { ...useSingular(account), ...useStore(note) };
    const name = useSingular(account).record?.object.text;
    return `${name}: ${view.records.map((one) => `${one.object.text} ${one.state}`)}`;
  };
  const { at } = await show(t, h(StrictMode, null, provided(page, h(Page))));
  withoutAct();
  await page.synced();
  await view.push({ text: "hi" });
  await until(at, "undefined: hi synced");
  await view.set({ text: "Ada" });
  await other.store(note).push({ text: "ho" });
  await until(at, "Ada: ho synced,hi synced");
  await assert.rejects(() => view.push({ text: "x".repeat(21) }),
    { code: "invalid_object", path: "/text" });
  await view.remove(view.records[1].id);
  await until(at, "Ada: ho synced");
  await other.delivered();
});
