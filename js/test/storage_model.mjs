// Random changes to a storage of the device, beside the plainest storage there could be: a table of
// every id in every store (test/unit/local_model.c, for storages in JavaScript).
import {
  ACCOUNT, ANY, CHAT, STORES, equal, fails, idOf, numberOf, pendingDrop, pendingOf, pendingPut, put,
  remove, singular, state,
} from "./storage_conformance.mjs";

const IDS = 12;
const CHANGES_MAX = 6;

/** Numbers that look random and are the same for a seed (mulberry32). */
function makeDraw(seed) {
  let at = seed >>> 0;
  return (below) => {
    at = (at + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(at ^ (at >>> 15), at | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

class Model {
  cells = STORES.map(() => new Map());
  heads = STORES.map(() => null);
  pending = new Map();

  copy() {
    const copy = new Model();
    copy.cells = this.cells.map((of) => new Map(of));
    copy.heads = [...this.heads];
    copy.pending = new Map(this.pending);
    return copy;
  }

  /** The cells that a change is about. */
  about({ kind, store, id }) {
    const whole = kind === "singular" || store === ACCOUNT;
    return [...this.cells[store]].filter(([at]) => whole || at === id);
  }

  takeOut(change) {
    const gone = this.about(change);
    for (const [id] of gone) this.cells[change.store].delete(id);
    return { held: gone.some(([, c]) => !c.removed), removed: gone.some(([, c]) => c.removed) };
  }

  put(change) {
    const { store, id, eventId: event, object } = change;
    if (this.about(change).some(([, cell]) => cell.event >= event)) return { applied: false };
    const removed = object === "";
    const { held } = this.takeOut(change);
    this.cells[store].set(id, { event, removed, object });
    return { applied: held || !removed };
  }

  remove(change) {
    const any = change.store === ANY;
    const store = any ? this.cells.findIndex((of) => of.has(change.id)) : change.store;
    if (store < 0) return { applied: false };
    const of = { ...change, store };
    const event = change.eventId;
    if (this.about(of).some(([, cell]) => cell.event > event)) return { applied: false, store };
    const { held, removed } = this.takeOut(of);
    if (removed || (change.keep && !any)) {
      this.cells[store].set(change.id, { event, removed: true });
    }
    return { applied: held, store };
  }

  apply(change) {
    switch (change.kind) {
      case "put":
      case "singular":
        return this.put(change);
      case "remove":
        return this.remove(change);
      case "clear":
        this.cells[change.store].clear();
        this.heads[change.store] = null;
        break;
      case "forget":
        for (const [id, { removed }] of this.cells[change.store]) {
          if (removed) this.cells[change.store].delete(id);
        }
        break;
      case "state":
        this.heads[change.store] = change.state.head;
        break;
      case "pending_put":
        this.pending.set(change.pending.clientId, change.pending);
        break;
      case "pending_drop":
        this.pending.delete(change.clientId);
    }
    return { applied: false };
  }
}

function drawChange(draw) {
  const store = draw(STORES.length);
  const id = 1 + draw(IDS);
  const event = id + draw(20);
  const text = `"text ${draw(64)}"`;
  const kind = draw(24);
  if (kind === 0) return { kind: "clear", store };
  if (kind <= 2) return { kind: "forget", store };
  if (kind === 3) return state(store, event);
  if (kind <= 7) return remove(draw(4) === 0 ? ANY : store, id, event, draw(2) === 0);
  if (kind <= 9) return singular(ACCOUNT, id, event, draw(3) === 0 ? "" : text);
  if (kind <= 11) return pendingPut(pendingOf(1 + draw(1000) * IDS + id, id, store, text));
  if (kind === 12) return pendingDrop(id);
  return put(store === ACCOUNT ? CHAT : store, id, event, text);
}

async function compare(storage, model) {
  for (const [store, cells] of model.cells.entries()) {
    const held = [...cells].filter(([, { removed }]) => !removed)
      .map(([id, { event, object }]) =>
        ({ id, eventId: event, clientId: idOf(numberOf(event) + 1000000), object }))
      .sort((a, b) => (a.id < b.id ? 1 : -1));
    equal(await storage.page(store, undefined, 100), held, `store ${store}`);
  }
  const { states, pending } = await storage.load();
  equal(states.map(({ head }) => head), model.heads);
  equal(pending, [...model.pending.values()].sort((a, b) => a.position - b.position));
}

/** Commits random changes to a storage of `kind`: after each, it is to be as the model says. */
export async function runModel(kind, seed, rounds) {
  const draw = makeDraw(seed);
  let model = new Model();
  let storage = await kind.open(STORES);
  for (let round = 0; round < rounds; round++) {
    const changes = Array.from({ length: 1 + draw(CHANGES_MAX) }, () => drawChange(draw));
    const next = model.copy();
    const expected = changes.map((change) => next.apply(change));
    const failing = kind.failCommits && draw(15) === 0;
    if (failing) kind.failCommits(true);
    const committed = storage.commit(changes);
    // One that changes nothing may succeed where nothing can be written.
    const results = await committed.catch((error) => (failing ? undefined : Promise.reject(error)));
    if (failing) kind.failCommits(false);
    if (!results) {
      await fails(committed, "io");
    } else {
      for (const [at, { applied, store }] of expected.entries()) {
        const change = `seed ${seed}, round ${round}: ${JSON.stringify(changes[at])}`;
        equal(results[at].applied, applied, change);
        if (store !== undefined) equal(results[at].store, store, change);
      }
      model = next;
    }
    if (kind.durable && draw(20) === 0) storage = await kind.reopen(storage, STORES);
    if (draw(4) === 0) await compare(storage, model);
  }
  await compare(storage, model);
  await storage.close();
}
