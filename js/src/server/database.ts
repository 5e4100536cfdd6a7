/** `createDatabase`: every user's objects, and the application's code on them. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { SyncError } from "../client/error.js";
import type { Store } from "../store.js";
import { RunContext, userOf } from "./context.js";
import { Inbox, recordOf } from "./inbox.js";
import { checkRefined } from "./judge.js";
import { Listeners } from "./listeners.js";
import { loadNative, type Native, type NativeHandle, type NativeRecord } from "./native.js";
import { nativeOptions } from "./options.js";
import { PartialObject, pour, type PartialHost } from "./partial.js";
import { asError, jsonOf, Port, type Answer, type Done } from "./port.js";
import { closeAtExit, forgetAtExit } from "./process.js";
import { Subscribers } from "./subscribers.js";
import { adopt } from "./upgrade.js";
import type {
  CloseOptions, Context, DatabaseOptions, ListenOptions, ListOptions, LogEntry, Receipt,
  StoredRecord, StoreEvent, Subscriber, TextField,
} from "./types.js";

const GRACE_MS = 5000;
const LIST_LIMIT = 100;
const PORT_MAX = 65_535;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** What no object has: it stands for what is no id, so that is refused as unknown ones are. */
const NO_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";
const NIL_ID = "00000000-0000-0000-0000-000000000000";

/** Runs a function of the addon; what it throws becomes a `SyncError`. */
function checked<Result>(run: () => Result): Result {
  try {
    return run();
  } catch (thrown) {
    const { code, message, path } = thrown as { code?: string; message: string; path?: string };
    if (thrown instanceof SyncError || typeof code !== "string") throw thrown;
    throw asError(code, message, path);
  }
}

/** An id for a request. Nil would mean no id at all, which is never what was asked for. */
function idOf(id: unknown): string {
  return typeof id === "string" && UUID.test(id) && id !== NIL_ID ? id : NO_ID;
}

/** The only record, or `null` where the library found none. */
async function oneOrNone<Value extends object>(
  answer: Promise<Answer>,
): Promise<StoredRecord<Value> | null> {
  try {
    const [record] = (await answer) as readonly NativeRecord[];
    return recordOf<Value>(record as NativeRecord);
  } catch (error) {
    if (error instanceof SyncError && error.code === "not_found") return null;
    throw error;
  }
}

/** A database that is open. Made by `createDatabase`. */
export class Database {
  readonly #native: Native;
  readonly #handle: NativeHandle;
  readonly #port: Port;
  readonly #stores: ReadonlyMap<Store, number>;
  readonly #subscribers: Subscribers;
  readonly #partials = new Map<number, PartialObject>();
  readonly #errors = new Listeners<[error: unknown, event?: StoreEvent]>();
  readonly #logs = new Listeners<[entry: LogEntry]>();
  #closed: Promise<void> | null = null;

  /** Opens it, as `createDatabase` says. */
  constructor(options: DatabaseOptions) {
    this.#native = loadNative();
    const converted = nativeOptions(options);
    this.#stores = new Map(options.stores.map((store, at) => [store, at]));
    this.#subscribers = new Subscribers({
      begin: (user) => new RunContext(user),
      end: (ctx) => (ctx as RunContext).end(),
      failed: (error, event) => this.#failed(error, event),
    });
    const inbox = new Inbox({
      stores: options.stores,
      authenticate: options.authenticate ?? null,
      subscribers: this.#subscribers,
      partials: this.#partials,
      failed: (error) => this.#failed(error),
      log: (entry) => this.#logs.tell(entry),
    });
    this.#port = new Port(this.#native, inbox.told);
    inbox.attach(this.#port);
    const judged = options.stores.flatMap((store, at) => (store.check ? [at] : []));
    this.#handle = checked(() => this.#native.open(converted, judged, inbox.told));
    this.#port.attach(this.#handle);
    closeAtExit(this, () => this.#native.closeNow(this.#handle));
  }

  /**
   * Calls `subscriber` for each change that a client makes in `store` from now on, once it is
   * durable. The server's own changes are not told, so that an answer is not answered. Events of
   * one user come one after another, in order: the next one when the promise is settled; those of
   * different users side by side. What it throws goes to `on("error")`. Events that were not
   * handled when the process ends are not told again. Gives what takes it off again. Throws
   * `unknown_store`, `closed`.
   */
  subscribe<Value extends object>(
    store: Store<Value>,
    subscriber: Subscriber<Value>,
  ): () => void {
    const at = Number(this.#at(store));
    const { handle } = this.#port;
    const listener = subscriber as Subscriber<object>;
    if (this.#subscribers.add(at, listener)) checked(() => this.#native.subscribe(handle, at));
    let there = true;
    return () => {
      if (there) this.#subscribers.remove(at, listener);
      there = false;
    };
  }

  /** A context without an event at hand. Throws `invalid_argument`. */
  as(user: string): Context {
    return { user: userOf({ user }) };
  }

  /**
   * Creates an object of an event store, or creates or replaces that of a singular store, and sends
   * it to the user's devices. Resolves when it is durable. The schema is checked, the rules (which
   * are for clients) are not. Rejects with a `SyncError`: `invalid_object` (with its path),
   * `too_large`: not stored, do not retry; `unavailable`: the storage failed, retry later; `limit`:
   * over 262,144 requests are not done: wait for some; `unknown_store`, `invalid_argument`,
   * `closed`.
   */
  async push<Value extends object>(
    ctx: Context,
    store: Store<Value>,
    object: NoInfer<Value>,
  ): Promise<Receipt> {
    return this.#change("p", ctx, store, object);
  }

  /** Replaces object `id` whole. Rejects as `push`, and with `not_found`. */
  async update<Value extends object>(
    ctx: Context,
    store: Store<Value>,
    id: string,
    object: NoInfer<Value>,
  ): Promise<Receipt> {
    return this.#change("u", ctx, store, object, idOf(id));
  }

  /** Removes object `id`; of a singular store, the one there is. Rejects as `update`. */
  async remove(ctx: Context, store: Store<object, "event">, id: string): Promise<Receipt>;
  async remove(ctx: Context, store: Store<object, "singular">): Promise<Receipt>;
  async remove(ctx: Context, store: Store, id?: string): Promise<Receipt> {
    const which = id === undefined ? "" : idOf(id); // "": the one there is
    const answer = await this.#port.ask("r", this.#at(store), userOf(ctx), which);
    return receiptOf(answer);
  }

  /** Object `id`, or `null`. Rejects with `unknown_store`, `unavailable`, `closed`. */
  async get<Value extends object>(
    ctx: Context,
    store: Store<Value>,
    id: string,
  ): Promise<StoredRecord<Value> | null> {
    return oneOrNone<Value>(this.#port.ask("g", this.#at(store), userOf(ctx), idOf(id)));
  }

  /**
   * The user's newest objects, newest event first. Rejects as `get`, with `invalid_argument`, and
   * with `limit`: over 256 MiB of them: ask for fewer.
   */
  async list<Value extends object>(
    ctx: Context,
    store: Store<Value>,
    { before = "", limit = LIST_LIMIT }: ListOptions = {},
  ): Promise<StoredRecord<Value>[]> {
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
      throw new SyncError("invalid_argument", "limit is a whole number from 1 to 1,000");
    }
    const from = before === "" ? "" : idOf(before);
    const fields = [this.#at(store), userOf(ctx), from, String(limit)];
    const records = (await this.#port.ask("l", ...fields)) as readonly NativeRecord[];
    return records.map((record) => recordOf<Value>(record));
  }

  /** The object of a singular store, or `null`. Rejects as `get`. */
  async singular<Value extends object>(
    ctx: Context,
    store: Store<Value, "singular">,
  ): Promise<StoredRecord<Value> | null> {
    return oneOrNone<Value>(this.#port.ask("s", this.#at(store), userOf(ctx)));
  }

  /**
   * Begins an object that the user's devices see grow. `object` is what there is of it: it need not
   * satisfy the schema before it is committed. What a subscriber begins and leaves open is aborted
   * when it returns. Rejects as `push`, and with `limit`: the user has too many open.
   */
  async partial<Value extends object>(
    ctx: Context,
    store: Store<Value, "event">,
    object: Partial<NoInfer<Value>>,
  ): Promise<PartialObject<Value>> {
    const fields = [this.#at(store), userOf(ctx), jsonOf(object)];
    const done = (await this.#port.ask("b", ...fields)) as Done;
    const host: PartialHost = {
      port: this.#port,
      check: (value) => checkRefined(store, value),
      ended: () => {
        this.#partials.delete(done.partial);
        if (ctx instanceof RunContext) ctx.done(known);
      },
    };
    const partial = new PartialObject<Value>(host, ctx, done, object);
    const known = partial as unknown as PartialObject; // nobody here looks at its fields
    this.#partials.set(done.partial, known);
    if (ctx instanceof RunContext) ctx.begun(known);
    return partial;
  }

  /**
   * Streams text into `field` of a new object: `await db.stream(ctx, chatMessage,
   * { role: "assistant", content: "" }, "content", tokens)`. Stores it at the end. If `pieces`
   * throws, devices drop it and nothing is stored. Rejects with what `pieces` threw, or as `push`.
   */
  async stream<Value extends object>(
    ctx: Context,
    store: Store<Value, "event">,
    object: Partial<NoInfer<Value>>,
    field: TextField<NoInfer<Value>>,
    pieces: AsyncIterable<string>,
  ): Promise<Receipt> {
    return pour(await this.partial<Value>(ctx, store, object), field, pieces);
  }

  /**
   * `error`: what a subscriber or `authenticate` threw, and the event it was about; without a
   * listener it goes to standard error. `log`: what happens in the library; never a secret.
   * Gives what takes the listener off again.
   */
  on(name: "error", listener: (error: unknown, event?: StoreEvent) => void): () => void;
  on(name: "log", listener: (entry: LogEntry) => void): () => void;
  on(name: "error" | "log", listener: (...told: never[]) => void): () => void {
    if (name === "log") return this.#logs.add(listener as (entry: LogEntry) => void);
    return this.#errors.add(listener as (error: unknown, event?: StoreEvent) => void);
  }

  /**
   * Lets devices in, on a port of its own; may be called several times. Gives the port. Rejects
   * with `unauthorized`: there is not exactly one way of identity, or devAuth off loopback;
   * `invalid_argument`; `io`: the port is taken, or the files of `tls` or `pages` are no good;
   * `limit`: too many pages; `closed`.
   */
  async listen(options: ListenOptions = {}): Promise<{ readonly port: number }> {
    const { port = 0, host = "127.0.0.1", tls, devAuth = false, pages = "" } = options;
    if (!Number.isInteger(port) || port < 0 || port > PORT_MAX) {
      throw new SyncError("invalid_argument", "port is a whole number from 0 to 65,535");
    }
    const { cert = "", key = "" } = tls ?? {};
    const { handle } = this.#port;
    const bound = checked(() =>
      this.#native.listen(handle, host, port, cert, key, devAuth, pages),
    );
    this.#port.holdProcess();
    return { port: bound };
  }

  /**
   * Takes over a WebSocket upgrade of an http or https server: `server.on("upgrade",
   * (request, socket, head) => db.handleUpgrade(request, socket, head))`. What is no upgrade that
   * the library accepts is answered by it. Where it cannot be taken over the socket is destroyed
   * and the error goes to `on("error")`.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    try {
      const { handle } = this.#port;
      checked(() => adopt(this.#native, handle, request, socket, head));
    } catch (error) {
      socket.destroy();
      this.#failed(error);
    }
  }

  /**
   * Shuts down in order: devices are not heard any more, subscribers that run may finish (and push)
   * for `graceMs`, what was pushed is stored and sent, connections close with 1001, the file is
   * closed. Afterwards everything gives `closed`. The second call gives the promise of the first.
   */
  close({ graceMs = GRACE_MS }: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    this.#port.holdProcess();
    this.#native.drain(this.#handle);
    let timer: NodeJS.Timeout | undefined;
    const grace = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.#subscribers.stop(), grace]);
    clearTimeout(timer);
    this.#port.flush();
    this.#port.stop();
    await new Promise<void>((resolve) => {
      this.#native.close(this.#handle, () => {
        this.#port.end(); // at once: what is written in this turn is not handed over at its end
        resolve();
      });
    });
    forgetAtExit(this);
  }

  async #change(
    operation: "p" | "u",
    ctx: Context,
    store: Store,
    object: object,
    ...id: readonly string[]
  ): Promise<Receipt> {
    const at = this.#at(store);
    const user = userOf(ctx);
    const json = jsonOf(object); // as it is now: it may be changed while it is checked
    const going = checkRefined(store, object);
    if (going) await going;
    const answer = await this.#port.ask(operation, at, user, ...id, json);
    return receiptOf(answer);
  }

  #at(store: Store): string {
    const at = this.#stores.get(store);
    if (at !== undefined) return String(at);
    throw new SyncError("unknown_store", "the database was created without this store");
  }

  #failed(error: unknown, event?: StoreEvent): void {
    if (this.#errors.size === 0) console.error("syncdb:", error);
    else this.#errors.tell(error, event);
  }
}

function receiptOf(answer: Answer): Receipt {
  const { id, eventId } = answer as Done;
  return { id, eventId };
}

/**
 * Opens, or makes, the database. Opening reads the file before it returns (milliseconds); nothing
 * else waits. Throws a `SyncError`: `invalid_argument`: an option; `bad_definition`: a store's
 * schema or rules, two stores with one name, or a stored store of another type; `busy`: another
 * server has it open; `bad_format`: no database of ours, or damaged; `io`.
 */
export function createDatabase(options: DatabaseOptions): Database {
  return new Database(options);
}
