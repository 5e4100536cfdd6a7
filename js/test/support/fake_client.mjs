// What the hooks see of a client: snapshots that the test sets, and who listens.
class Handle {
  listeners = new Set();
  asked = 0; // calls of snapshot
  calls = [];

  constructor(snapshot) {
    this.now = snapshot;
    for (const name of ["push", "update", "remove", "older", "set", "retry", "discard"])
      this[name] = async (...args) => void this.calls.push([name, ...args]);
    this.snapshot = () => {
      this.asked++;
      return this.now;
    };
    this.subscribe = (listener) => {
      this.listeners.add(listener);
      return () => void this.listeners.delete(listener);
    };
  }

  /** As a client does: another snapshot, then the listeners. */
  change(more) {
    this.now = { ...this.now, ...more };
    for (const listener of this.listeners) listener();
  }
}

export class FakeClient {
  #handles = new Map();
  status = { phase: "live", pending: 0 };
  statusListeners = new Set();

  constructor(...stores) {
    for (const store of stores)
      this.#handles.set(store, new Handle(store.type === "event"
        ? { records: [], hasOlder: false, loading: false }
        : { record: undefined, loading: false }));
  }

  store(store) {
    const handle = this.#handles.get(store);
    if (!handle) throw new Error(`no store ${store.name}`);
    return handle;
  }

  on(event, listener) {
    if (event !== "status") throw new Error(event);
    this.statusListeners.add(listener);
    return () => void this.statusListeners.delete(listener);
  }

  setStatus(more) {
    this.status = { ...this.status, ...more };
    for (const listener of this.statusListeners) listener(this.status);
  }
}

/** A record as the client makes them. */
export const record = (id, text) =>
  Object.freeze({ key: id, id, state: "synced", object: { text } });
