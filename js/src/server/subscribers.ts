/**
 * Running subscribers. The library hands out a user's events as runs: those of a run are handled
 * one after another, in the order in which they were stored, and the user's next run comes when the
 * run is answered. How many users' runs are out at one time is bounded there.
 */
import type { Context, StoreEvent, Subscriber } from "./types.js";

/** An event, and the place of its store. */
export interface Delivery {
  readonly store: number;
  readonly event: StoreEvent;
}

/** What the owner does around subscribers. */
export interface SubscribersHost {
  /** A context for the user, for as long as a subscriber runs. */
  begin(user: string): Context;
  end(ctx: Context): void;
  failed(error: unknown, event: StoreEvent): void;
}

/** Whether `value` can be waited for. */
export function isPromise(value: unknown): value is PromiseLike<void> {
  return typeof value === "object" && value !== null && "then" in value;
}

/** The subscribers of a database. */
export class Subscribers {
  readonly #host: SubscribersHost;
  readonly #byStore = new Map<number, Subscriber<object>[]>();
  #running = 0;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(host: SubscribersHost) {
    this.#host = host;
  }

  /** Adds one; true if it is the first that this store ever had. */
  add(store: number, subscriber: Subscriber<object>): boolean {
    const known = this.#byStore.get(store);
    this.#byStore.set(store, [...(known ?? []), subscriber]);
    return !known;
  }

  /** Takes one off: once, where it was added several times. */
  remove(store: number, subscriber: Subscriber<object>): void {
    const known = this.#byStore.get(store) ?? [];
    const at = known.indexOf(subscriber);
    this.#byStore.set(store, known.filter((_, place) => place !== at));
  }

  /** Handles a run; `done` is called at its end. Never throws. */
  handle(run: readonly Delivery[], done: () => void): void {
    if (!this.#stopped) void this.#work(run, done);
  }

  /** Begins nothing any more; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #work(run: readonly Delivery[], done: () => void): Promise<void> {
    this.#running++;
    for (const delivery of run) {
      if (this.#stopped) break;
      const going = this.#tell(delivery);
      if (going) await going;
    }
    this.#running--;
    done();
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Calls the store's subscribers, one after another. Never throws, never rejects. */
  #tell(delivery: Delivery): Promise<void> | undefined {
    const subscribers = this.#byStore.get(delivery.store);
    if (!subscribers || subscribers.length === 0) return undefined;
    const ctx = this.#host.begin(delivery.event.user);
    let going: Promise<void> | undefined;
    for (const subscriber of subscribers) {
      going = going
        ? going.then(() => this.#call(subscriber, delivery.event, ctx))
        : this.#call(subscriber, delivery.event, ctx);
    }
    if (going) return going.then(() => this.#host.end(ctx));
    this.#host.end(ctx);
    return undefined;
  }

  #call(
    subscriber: Subscriber<object>,
    event: StoreEvent,
    ctx: Context,
  ): Promise<void> | undefined {
    try {
      const going = subscriber(event, ctx);
      if (!isPromise(going)) return undefined;
      return Promise.resolve(going).catch((error: unknown) => this.#host.failed(error, event));
    } catch (error) {
      this.#host.failed(error, event);
      return undefined;
    }
  }
}
