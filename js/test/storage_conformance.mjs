// One suite of behaviours for every storage of the device: test/unit/local_conformance.c, for those
// in JavaScript. Runs in Node and in a page, so it stands on nothing of either.
//
// A kind: {durable, open(stores) -> storage, reopen(storage, stores) -> storage, failCommits?(on)}.

export const CHAT = 0;
export const NOTE = 1;
export const ACCOUNT = 2;
export const ANY = -1;
export const STORES = [
  { name: "chat", type: "event" },
  { name: "note", type: "event" },
  { name: "account", type: "singular" },
];
const NEVER = { head: null, wanted: 0, missing: [] };

/** An id made of a number, and in its order. */
export const idOf = (number) => `00000000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`;
export const numberOf = (id) => parseInt(id.slice(24), 16);

/** As text: members in the order of their names, those without a value left out. */
const plain = (value) =>
  JSON.stringify(value, (_, of) =>
    of && typeof of === "object" && !Array.isArray(of)
      ? Object.fromEntries(Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1)))
      : of);

export function equal(actual, expected, what = "it") {
  if (plain(actual) === plain(expected)) return;
  throw new Error(`${what} is ${plain(actual)}, expected was ${plain(expected)}`);
}

export async function fails(promise, code) {
  const error = await promise.then(() => undefined, (thrown) => thrown);
  if (!error) throw new Error(`expected to fail with ${code}`);
  equal([error.name, error.code], ["StorageError", code], error.message);
  return error;
}

// Changes. The numbers name the object, its event and, for the client id, 1,000,000 more than that.
export const put = (store, id, event, object, more = {}) => ({
  kind: "put", store, id: idOf(id), eventId: idOf(event), clientId: idOf(event + 1000000), object,
  ...more,
});
export const singular = (store, id, event, object, more = {}) =>
  ({ ...put(store, id, event, object, more), kind: "singular" });
export const remove = (store, id, event, keep) => ({
  kind: "remove", store, id: idOf(id), eventId: idOf(event), ...(keep ? { keep: true } : {}),
});
const clear = (store) => ({ kind: "clear", store });
const forget = (store) => ({ kind: "forget", store });
export const state = (store, head, wanted = 0, missing = []) =>
  ({ kind: "state", store, state: { head: idOf(head), wanted, missing } });
// The core writes a store into every change, where there is none too.
export const database = (number) => ({ kind: "database", store: 0, id: idOf(number) });
export const pendingPut = (pending) => ({ kind: "pending_put", store: 0, pending });
export const pendingDrop = (number) =>
  ({ kind: "pending_drop", store: 0, clientId: idOf(number) });

/** A push to create an object in `store`. */
export const pendingOf = (position, clientId, store, object, more = {}) => ({
  position, clientId: idOf(clientId), store, action: "create", createdMs: 1700000000000, object,
  ...more,
});

/** A storage under test. */
class Fixture {
  constructor(kind) {
    this.kind = kind;
  }

  async open(stores = STORES) {
    this.storage = await this.kind.open(stores);
  }

  /** What is not durable stays as it is. */
  async reopen(stores = STORES) {
    if (this.kind.durable) this.storage = await this.kind.reopen(this.storage, stores);
  }

  commit(...changes) {
    return this.storage.commit(changes);
  }

  /** A commit of one change, which is applied. */
  async yes(change) {
    equal((await this.commit(change))[0].applied, true, "applied");
  }

  async no(change) {
    equal((await this.commit(change))[0].applied, false, "applied");
  }

  object(store, id) {
    return this.storage.object(store, id === undefined ? undefined : idOf(id));
  }

  page(store, before, limit) {
    return this.storage.page(store, before === undefined ? undefined : idOf(before), limit);
  }

  async holds(store, ...objects) {
    const page = await this.storage.page(store, undefined, 1000);
    equal(page.map(({ object }) => object), objects, `store ${store}`);
  }

  load() {
    return this.storage.load();
  }
}

/** The behaviours: {name, run, needs}. */
export const behaviours = [];
const behaviour = (name, run, needs = () => true) => behaviours.push({ name, run, needs });
const ifDurable = (kind) => kind.durable;

/** Runs the behaviour of that name against a storage of `kind`. */
export async function runBehaviour(kind, name) {
  const fixture = new Fixture(kind);
  await fixture.open();
  try {
    await behaviours.find((of) => of.name === name).run(fixture);
  } finally {
    await fixture.storage.close();
  }
}

// ---- puts ----

behaviour("an object comes back as it was put", async (f) => {
  const text = '{"text":"é – 𝄞","n":12345678901234567890.10}';
  await f.yes(put(NOTE, 5, 9, text));
  const { clientId: _, ...without } = put(NOTE, 6, 6, "{}");
  await f.yes(without);
  await f.reopen();
  const five = { id: idOf(5), eventId: idOf(9), clientId: idOf(1000009), object: text };
  equal(await f.object(NOTE, 5), five);
  equal(await f.page(NOTE, undefined, 10), [{ id: idOf(6), eventId: idOf(6), object: "{}" }, five]);
});

behaviour("a put is ignored unless its event is newer", async (f) => {
  await f.yes(put(CHAT, 1, 10, "ten"));
  await f.no(put(CHAT, 1, 9, "nine"));
  await f.no(put(CHAT, 1, 10, "ten again"));
  await f.no(put(CHAT, 1, 1, "one"));
  await f.holds(CHAT, "ten");
  await f.yes(put(CHAT, 1, 11, "eleven"));
  await f.holds(CHAT, "eleven");
  equal((await f.object(CHAT, 1)).eventId, idOf(11));
});

behaviour("a put that says so takes the place of the same event", async (f) => {
  const orEqual = { orEqual: true };
  await f.commit(put(CHAT, 1, 1, "first"), put(CHAT, 2, 9, "changed"));
  await f.yes(put(CHAT, 1, 1, "second", orEqual));
  await f.no(put(CHAT, 2, 8, "older", orEqual));
  await f.holds(CHAT, "changed", "second");
  await f.no(put(CHAT, 1, 1, "third"));
  await f.commit(singular(ACCOUNT, 3, 3, "first"));
  await f.no(singular(ACCOUNT, 3, 3, "second"));
  await f.yes(singular(ACCOUNT, 3, 3, "second", orEqual));
  await f.holds(ACCOUNT, "second");
});

behaviour("a put that was never changed is ignored the same way", async (f) => {
  await f.yes(put(CHAT, 7, 7, "first"));
  await f.no(put(CHAT, 7, 7, "again"));
  await f.yes(put(CHAT, 7, 8, "changed"));
  await f.no(put(CHAT, 7, 7, "first"));
  await f.holds(CHAT, "changed");
});

behaviour("ids are compared as sixteen bytes", async (f) => {
  const ids = ["7fffffff-ffff-ffff-ffff-ffffffffffff", "80000000-0000-0000-0000-000000000000",
    "80000000-0000-0000-0000-000000000080", "9fffffff-0000-0000-0000-000000000000",
    "a0000000-0000-0000-0000-000000000000"];
  for (const at of [1, 4, 0, 2, 3]) {
    await f.yes({ ...put(CHAT, 1, 1, `${at}`), id: ids[at], eventId: ids[at] });
  }
  await f.holds(CHAT, "4", "3", "2", "1", "0");
  await f.no({ ...put(CHAT, 1, 1, "changed"), id: ids[1], eventId: ids[0] });
  await f.yes({ ...put(CHAT, 1, 1, "changed"), id: ids[1], eventId: ids[2] });
  const page = await f.storage.page(CHAT, ids[2], 10);
  equal(page.map(({ object }) => object), ["changed", "0"]);
});

behaviour("a large object comes back whole", async (f) => {
  const text = "abcdefghijklmnopqrstuvwxyz\n".repeat(100000);
  await f.commit(put(CHAT, 1, 1, text), put(CHAT, 2, 2, "small"));
  await f.reopen();
  await f.holds(CHAT, "small", text);
  equal((await f.object(CHAT, 1)).object, text);
});

behaviour("one id in two stores is two objects", async (f) => {
  await f.yes(put(CHAT, 1, 5, "chat"));
  await f.yes(put(NOTE, 1, 4, "note"));
  await f.holds(CHAT, "chat");
  await f.holds(NOTE, "note");
  await f.yes(remove(CHAT, 1, 6, true));
  await f.holds(NOTE, "note");
  await f.holds(CHAT);
});

// ---- removes ----

behaviour("a remove takes the object out", async (f) => {
  await f.commit(put(CHAT, 1, 1, "one"), put(CHAT, 2, 2, "two"));
  await f.yes(remove(CHAT, 1, 3));
  await f.holds(CHAT, "two");
  equal(await f.object(CHAT, 1), undefined);
  await f.no(remove(CHAT, 1, 4));
  await f.no(remove(CHAT, 3, 4));
  await f.reopen();
  await f.holds(CHAT, "two");
});

behaviour("a remove wins over its own event and loses to newer ones", async (f) => {
  await f.commit(put(CHAT, 1, 10, "ten"));
  await f.no(remove(CHAT, 1, 9));
  await f.no(remove(CHAT, 1, 9, true));
  await f.holds(CHAT, "ten");
  await f.yes(put(CHAT, 1, 11, "eleven"));
  await f.yes(remove(CHAT, 1, 11, true));
  await f.holds(CHAT);
  await f.yes(put(CHAT, 2, 2, "unchanged"));
  await f.yes(remove(CHAT, 2, 2));
  await f.holds(CHAT);
});

behaviour("a kept remove holds off what is not newer", async (f) => {
  await f.commit(put(CHAT, 1, 5, "five"));
  await f.yes(remove(CHAT, 1, 10, true));
  await f.no(put(CHAT, 1, 9, "nine"));
  await f.no(put(CHAT, 1, 10, "ten"));
  await f.reopen();
  await f.no(put(CHAT, 1, 10, "ten"));
  await f.no(put(CHAT, 1, 10, "ten", { orEqual: true }));
  await f.holds(CHAT);
  equal(await f.object(CHAT, 1), undefined);
  await f.yes(put(CHAT, 1, 11, "eleven"));
  await f.holds(CHAT, "eleven");
  await f.no(remove(CHAT, 1, 10, true));
  await f.holds(CHAT, "eleven");
});

behaviour("a remove is kept of an object that was never there", async (f) => {
  await f.no(remove(CHAT, 1, 10, true));
  await f.no(put(CHAT, 1, 9, "nine"));
  await f.yes(put(NOTE, 1, 9, "elsewhere"));
  await f.holds(CHAT);
});

behaviour("a remove that is not kept is forgotten", async (f) => {
  await f.commit(put(CHAT, 1, 5, "five"));
  await f.yes(remove(CHAT, 1, 10));
  await f.yes(put(CHAT, 1, 9, "nine"));
  await f.holds(CHAT, "nine");
});

behaviour("of kept removes the newest counts", async (f) => {
  await f.commit(remove(CHAT, 1, 10, true));
  await f.no(remove(CHAT, 1, 8, true));
  await f.no(put(CHAT, 1, 9, "nine"));
  await f.no(remove(CHAT, 1, 12, true));
  await f.no(put(CHAT, 1, 12, "twelve"));
  await f.yes(put(CHAT, 1, 13, "thirteen"));
});

behaviour("a remove that is kept already stays kept", async (f) => {
  await f.commit(remove(CHAT, 1, 10, true));
  await f.no(remove(CHAT, 1, 12));
  await f.no(put(CHAT, 1, 10, "ten"));
  await f.no(put(CHAT, 1, 12, "twelve"));
  await f.no(remove(CHAT, 1, 11));
  await f.no(put(CHAT, 1, 12, "twelve"));
  await f.no(remove(ANY, 1, 14));
  await f.no(put(CHAT, 1, 14, "fourteen"));
  await f.yes(put(CHAT, 1, 15, "fifteen"));
});

behaviour("a remove need not name its store", async (f) => {
  await f.commit(put(NOTE, 1, 5, "note"), put(NOTE, 2, 2, "other"));
  equal(await f.commit(remove(ANY, 1, 4, true)), [{ applied: false, store: NOTE }]);
  equal(await f.commit(remove(ANY, 1, 6, true)), [{ applied: true, store: NOTE }]);
  await f.holds(NOTE, "other");
  await f.yes(put(NOTE, 1, 3, "not kept: it may come back"));
});

behaviour("a remove of any store finds nothing where nothing is", async (f) => {
  await f.commit(put(CHAT, 2, 2, "two"));
  equal(await f.commit(remove(ANY, 1, 6, true)), [{ applied: false }]);
  await f.yes(put(CHAT, 1, 1, "one"));
});

behaviour("forgetting ends what kept removes hold off", async (f) => {
  await f.commit(put(CHAT, 3, 3, "three"), remove(CHAT, 1, 10, true), remove(NOTE, 1, 10, true));
  await f.commit(forget(CHAT));
  await f.holds(CHAT, "three");
  await f.yes(put(CHAT, 1, 9, "nine"));
  await f.no(put(NOTE, 1, 9, "nine"));
  await f.commit(remove(CHAT, 1, 12, true));
  await f.no(put(CHAT, 1, 11, "eleven"));
});

// ---- singular stores ----

behaviour("a singular store holds the newest of all", async (f) => {
  equal(await f.object(ACCOUNT), undefined);
  await f.yes(singular(ACCOUNT, 3, 3, "three"));
  await f.yes(singular(ACCOUNT, 5, 5, "five"));
  await f.no(singular(ACCOUNT, 4, 4, "four"));
  await f.no(singular(ACCOUNT, 4, 5, "five too"));
  await f.reopen();
  await f.holds(ACCOUNT, "five");
  await f.yes(singular(ACCOUNT, 2, 6, "six"));
  const six = { id: idOf(2), eventId: idOf(6), clientId: idOf(1000006), object: "six" };
  equal(await f.object(ACCOUNT), six);
  equal(await f.object(ACCOUNT, 5), undefined);
  equal(await f.object(ACCOUNT, 2), six);
  await f.holds(ACCOUNT, "six");
});

behaviour("a singular store may come to hold nothing", async (f) => {
  await f.no(singular(ACCOUNT, 1, 1, ""));
  await f.yes(singular(ACCOUNT, 3, 3, "three"));
  await f.no(singular(ACCOUNT, 2, 2, ""));
  await f.holds(ACCOUNT, "three");
  await f.yes(singular(ACCOUNT, 3, 5, ""));
  await f.holds(ACCOUNT);
  await f.reopen();
  equal(await f.object(ACCOUNT), undefined);
  await f.no(singular(ACCOUNT, 4, 4, "four"));
  await f.no(singular(ACCOUNT, 5, 5, "five"));
  await f.yes(singular(ACCOUNT, 6, 6, "six"));
  await f.holds(ACCOUNT, "six");
});

behaviour("a remove in a singular store is of whatever it holds", async (f) => {
  await f.commit(singular(ACCOUNT, 3, 3, "three"));
  await f.no(remove(ACCOUNT, 2, 2, true));
  await f.holds(ACCOUNT, "three");
  await f.yes(remove(ACCOUNT, 4, 5, true));
  await f.holds(ACCOUNT);
  await f.no(singular(ACCOUNT, 5, 5, "five"));
  await f.yes(singular(ACCOUNT, 6, 6, "six"));
  equal(await f.commit(remove(ANY, 6, 7)), [{ applied: true, store: ACCOUNT }]);
  await f.holds(ACCOUNT);
});

// ---- clearing, states, the database ----

behaviour("clearing takes all of one store", async (f) => {
  const unsynced = pendingOf(1, 9, CHAT, "unsynced");
  const noted = state(NOTE, 20, 8);
  await f.commit(put(CHAT, 1, 1, "one"), put(NOTE, 1, 1, "note"), remove(CHAT, 2, 10, true),
    remove(NOTE, 2, 10, true), state(CHAT, 20, 7), noted, pendingPut(unsynced));
  await f.commit(clear(CHAT));
  await f.reopen();
  await f.holds(CHAT);
  await f.holds(NOTE, "note");
  equal(await f.load(), {
    database: null, states: [NEVER, noted.state, NEVER], pending: [unsynced],
  });
  await f.yes(put(CHAT, 2, 9, "two"));
  await f.no(put(NOTE, 2, 9, "two"));
});

behaviour("an empty storage loads as never synced", async (f) => {
  equal(await f.load(), { database: null, states: [NEVER, NEVER, NEVER], pending: [] });
});

behaviour("states load as they were stored last", async (f) => {
  const missing = [[idOf(80), idOf(90)], [idOf(50), idOf(80)], [null, idOf(9)]];
  const changes = [state(CHAT, 70, 3, missing.slice(2)), state(ACCOUNT, 40, 4294967295),
    state(CHAT, 90, 0, missing)];
  await f.commit(...changes);
  for (let i = 0; i < 2; i++) {
    equal((await f.load()).states, [changes[2].state, NEVER, changes[1].state]);
    await f.reopen();
  }
  await f.commit(state(CHAT, 90));
  equal((await f.load()).states[CHAT].missing, []);
});

behaviour("a state may have as many ranges as there may be", async (f) => {
  const missing = Array.from({ length: 1024 }, (_, i) =>
    [idOf(10 * (1024 - i)), idOf(10 * (1024 - i) + 9)]);
  const change = state(NOTE, 100000, 5, missing);
  await f.commit(change);
  await f.reopen();
  equal((await f.load()).states[NOTE], change.state);
});

behaviour("the database is the one noted last", async (f) => {
  await f.commit(database(1), put(CHAT, 1, 1, "one"));
  await f.commit(database(2));
  await f.reopen();
  equal((await f.load()).database, idOf(2));
  await f.holds(CHAT, "one");
});

/** Something of each kind in all stores; gives the push that waits in NOTE. */
async function fill(f) {
  const push = pendingOf(1, 9, NOTE, "unsynced");
  await f.commit(put(CHAT, 1, 1, "one"), put(NOTE, 1, 1, "note"), remove(NOTE, 2, 10, true),
    state(NOTE, 20, 8), singular(ACCOUNT, 3, 3, "three"), pendingPut(push), database(1));
  return push;
}

behaviour("what is of a store that it was not opened with stays", async (f) => {
  const push = await fill(f);
  await f.reopen([STORES[ACCOUNT], STORES[CHAT]]);
  equal((await f.load()).pending, []);
  await f.yes(put(1, 2, 2, "two"));
  equal(await f.commit(remove(ANY, 2, 11)), [{ applied: true, store: 1 }]);
  await f.reopen();
  equal((await f.load()).pending, [push]);
  await f.holds(CHAT, "one");
  await f.holds(NOTE, "note");
  await f.no(put(NOTE, 2, 10, "held off"));
  await f.holds(ACCOUNT, "three");
}, ifDurable);

behaviour("with another database all of other stores goes but their pushes", async (f) => {
  const push = await fill(f);
  const some = [STORES[CHAT], { name: "zebra", type: "event" }];
  await f.reopen(some);
  await f.commit(database(1));
  await f.reopen();
  await f.holds(NOTE, "note");
  await f.reopen(some);
  await f.commit(put(1, 1, 1, "stripes"));
  await f.commit(database(2));
  await f.holds(1, "stripes");
  await f.reopen();
  equal(await f.load(), { database: idOf(2), states: [NEVER, NEVER, NEVER], pending: [push] });
  await f.holds(CHAT, "one");
  await f.holds(NOTE);
  await f.holds(ACCOUNT);
  await f.yes(put(NOTE, 2, 9, "no longer held off"));
}, ifDurable);

// ---- pending pushes ----

behaviour("pending pushes load whole and by position", async (f) => {
  const failure = { failed: "rejected", message: "no – not this one", path: "/role" };
  const pushes = [
    pendingOf(1, 30, CHAT, '{"a":1}'),
    pendingOf(2, 10, NOTE, "{}", { action: "update", depends: idOf(30), ...failure }),
    pendingOf(7, 20, CHAT, undefined, { action: "delete", id: idOf(77) }),
    pendingOf(1000000007, 5, ACCOUNT, "x"),
  ];
  await f.commit(...[3, 0, 2, 1].map((at) => pendingPut(pushes[at])));
  for (let i = 0; i < 2; i++) {
    equal((await f.load()).pending, pushes);
    await f.reopen();
  }
});

behaviour("a pending push takes the place of the one with its client id", async (f) => {
  const other = pendingOf(2, 11, CHAT, "o");
  const again = pendingOf(3, 10, CHAT, "again", { failed: "unavailable" });
  await f.commit(pendingPut(pendingOf(1, 10, CHAT, "first")), pendingPut(other));
  await f.commit(pendingPut(again));
  await f.reopen();
  equal((await f.load()).pending, [other, again]);
});

behaviour("a pending push is dropped by its client id", async (f) => {
  const two = pendingOf(2, 11, CHAT, "two");
  await f.commit(pendingPut(pendingOf(1, 10, CHAT, "one")), pendingPut(two));
  await f.commit(pendingDrop(10));
  await f.commit(pendingDrop(10));
  await f.commit(pendingDrop(12));
  await f.reopen();
  equal((await f.load()).pending, [two]);
});

behaviour("ten thousand pending pushes load in order", async (f) => {
  const pushes = Array.from({ length: 10000 }, (_, i) => {
    const position = ((i * 7919) % 10000) + 1;
    return pendingOf(position, 50000 - position, i % 2, '{"role":"user"}');
  });
  await f.commit(...pushes.map(pendingPut));
  await f.reopen();
  equal((await f.load()).pending, pushes.sort((a, b) => a.position - b.position));
});

// ---- commits ----

behaviour("the changes of a commit are carried out in order", async (f) => {
  const results = await f.commit(put(CHAT, 1, 1, "one"), remove(CHAT, 1, 2),
    put(CHAT, 1, 1, "one again"), put(CHAT, 2, 2, "two"), clear(CHAT), put(CHAT, 3, 3, "three"),
    state(CHAT, 9), put(CHAT, 3, 2, "stale"));
  equal([1, 2, 5, 7].map((at) => results[at].applied), [true, true, true, false]);
  await f.holds(CHAT, "three");
  equal((await f.load()).states[CHAT].head, idOf(9));
});

behaviour("a commit sees what it kept, forgot and put itself", async (f) => {
  const results = await f.commit(remove(CHAT, 1, 5, true), put(CHAT, 1, 4, "held off"),
    forget(CHAT), put(CHAT, 1, 4, "four"), singular(ACCOUNT, 1, 1, "one"),
    singular(ACCOUNT, 2, 2, "two"), singular(ACCOUNT, 2, 3, ""), singular(ACCOUNT, 1, 2, "late"));
  equal(results.map(({ applied }) => applied),
    [false, false, false, true, true, true, true, false]);
  await f.reopen();
  await f.holds(CHAT, "four");
  await f.holds(ACCOUNT);
});

behaviour("a thousand objects among ten thousand are put as they are to be", async (f) => {
  await f.commit(...Array.from({ length: 10000 }, (_, i) => put(CHAT, i, 20000 + i, "old")));
  await f.commit(...Array.from({ length: 50 }, (_, i) => remove(CHAT, 3000 + i, 40000, true)));
  // Every seventh from 3,000 on: the first were removed, the last are not there.
  const changes = Array.from({ length: 1010 }, (_, i) =>
    put(CHAT, 3000 + 7 * i, i % 2 ? 30000 : 10000, "new"));
  const applied = changes.map(({ id }, i) =>
    numberOf(id) >= 10000 || (numberOf(id) >= 3050 && i % 2 === 1));
  equal((await f.commit(...changes)).map((result) => result.applied), applied);
  const page = await f.page(CHAT, 9990, 7);
  equal(page.map(({ id }) => numberOf(id)), [9989, 9988, 9987, 9986, 9985, 9984, 9983]);
  equal((await f.object(CHAT, 3056)).object, "old");
  equal((await f.object(CHAT, 3063)).object, "new");
});

behaviour("a sync changes nothing", async (f) => {
  await f.storage.sync();
  for (let i = 1; i <= 4; i++) {
    await f.commit(put(CHAT, i, i, "x"));
    await f.storage.sync();
  }
  await f.reopen();
  await f.holds(CHAT, "x", "x", "x", "x");
  equal([f.storage.durable, f.storage.notice], [f.kind.durable, ""]);
});

behaviour("a commit of nothing succeeds", async (f) => {
  equal(await f.commit(), []);
});

behaviour("a commit that fails leaves nothing of itself", async (f) => {
  const kept = pendingOf(1, 10, CHAT, "kept");
  const failing = [put(CHAT, 2, 2, "two"), forget(NOTE), clear(CHAT), state(CHAT, 6, 2),
    pendingPut(pendingOf(2, 11, CHAT, "lost")), pendingDrop(10), database(2),
    singular(ACCOUNT, 2, 2, "other"), remove(CHAT, 1, 9, true), put(NOTE, 4, 4, "four")];
  await f.commit(put(CHAT, 1, 1, "one"), remove(NOTE, 2, 10, true), state(CHAT, 5, 1),
    pendingPut(kept), database(1), singular(ACCOUNT, 1, 1, "account"));
  f.kind.failCommits(true);
  for (let i = 0; i < 3; i++) await fails(f.commit(...failing), "io");
  await f.holds(CHAT, "one");
  f.kind.failCommits(false);
  for (let i = 0; i < 2; i++) {
    await f.holds(CHAT, "one");
    await f.holds(NOTE);
    await f.holds(ACCOUNT, "account");
    const load = await f.load();
    equal([load.states[CHAT].head, load.database, load.pending], [idOf(5), idOf(1), [kept]]);
    await f.no(put(NOTE, 2, 9, "held off"));
    await f.reopen();
  }
  await f.commit(...failing);
  await f.holds(CHAT);
  await f.holds(NOTE, "four");
  await f.holds(ACCOUNT, "other");
  equal((await f.load()).database, idOf(2));
}, (kind) => kind.failCommits);

// ---- pages ----

behaviour("a page is newest first and ends at its limit", async (f) => {
  for (const id of [30, 10, 50, 20, 40]) await f.commit(put(CHAT, id, id, `${id}`));
  await f.commit(put(NOTE, 35, 35, "of another store"));
  const objects = async (...page) => (await f.page(CHAT, ...page)).map(({ object }) => object);
  await f.holds(CHAT, "50", "40", "30", "20", "10");
  equal(await objects(undefined, 1), ["50"]);
  equal(await objects(undefined, 2), ["50", "40"]);
  equal(await objects(40, 2), ["30", "20"]);
  equal(await objects(25, 9), ["20", "10"]);
  equal(await objects(20, 1), ["10"]);
  equal(await objects(10, 9), []);
  equal(await objects(1, 9), []);
  equal(await objects(99, 5), ["50", "40", "30", "20", "10"]);
  equal((await f.page(CHAT, 99, 4294967295)).length, 5);
  equal(await f.page(ACCOUNT, undefined, 9), []);
});

behaviour("the greatest id there is comes first", async (f) => {
  const greatest = "ffffffff-ffff-ffff-ffff-ffffffffffff";
  await f.commit(put(CHAT, 5, 5, "five"), { ...put(CHAT, 1, 1, "last"), id: greatest });
  await f.holds(CHAT, "last", "five");
  equal((await f.storage.page(CHAT, greatest, 5)).map(({ object }) => object), ["five"]);
});

behaviour("a page passes over kept removes", async (f) => {
  await f.commit(...Array.from({ length: 5000 }, (_, i) =>
    i % 1000 === 7 ? put(CHAT, i, i, "x") : remove(CHAT, i, i, true)));
  const ids = (page) => page.map(({ id }) => numberOf(id));
  equal(ids(await f.page(CHAT, undefined, 3)), [4007, 3007, 2007]);
  equal(ids(await f.page(CHAT, 2007, 3)), [1007, 7]);
});

behaviour("ten thousand objects, put newest first, are paged through", async (f) => {
  for (let left = 10000; left > 0; left -= 500) {
    await f.commit(...Array.from({ length: 500 }, (_, i) =>
      put(CHAT, left - i, left - i, '{"role":"user","content":"hello"}')));
  }
  await f.reopen();
  let expected = 10000;
  for (let page = await f.page(CHAT, undefined, 1000); page.length > 0;) {
    for (const { id } of page) equal(numberOf(id), expected--);
    page = await f.storage.page(CHAT, page[page.length - 1].id, 1000);
  }
  equal(expected, 0);
});

behaviour("what is read may be changed by the reader", async (f) => {
  await f.commit(put(CHAT, 1, 1, "one"), state(CHAT, 1));
  (await f.page(CHAT, undefined, 1)).pop();
  (await f.load()).states.pop();
  await f.holds(CHAT, "one");
  equal((await f.load()).states.length, 3);
});
