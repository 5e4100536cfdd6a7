/** What the library has to say, and who hears it. Nothing here throws. */
import { SyncError } from "../client/error.js";
import type { SyncObject } from "../client/api.js";
import type { Action, Store } from "../store.js";
import { requestOf } from "./credentials.js";
import { judge } from "./judge.js";
import type { NativeEvent, NativeObject, NativeRecord, Notice } from "./native.js";
import { LOG_LEVELS } from "./options.js";
import type { PartialObject } from "./partial.js";
import { asError, fieldText, type Port } from "./port.js";
import type { Delivery, Subscribers } from "./subscribers.js";
import type { Authenticate, Identity, LogEntry, StoredRecord, StoreEvent } from "./types.js";

/** `sdb_action`. */
const ACTIONS: readonly Action[] = ["create", "create", "update", "delete"];

/** A record as the application sees it. */
export function recordOf<Value extends object>(record: NativeRecord): StoredRecord<Value> {
  const [id, eventId, clientId, json] = record;
  const object = json as unknown as SyncObject<Value>;
  const { $createdAt: createdAt } = object;
  return clientId === null
    ? { id, eventId, object, createdAt }
    : { id, eventId, clientId, object, createdAt };
}

/** Made for every push, so without detours. */
function eventOf(user: string, event: NativeEvent): StoreEvent {
  const [, action, id, eventId, clientId, json, before] = event;
  const object = json as SyncObject<object>;
  const told: Writable<StoreEvent> = {
    action: ACTIONS[action] as Action,
    id,
    eventId,
    object,
    user,
    createdAt: object.$createdAt,
  };
  if (clientId !== null) told.clientId = clientId;
  if (before !== null) told.previous = before as SyncObject<object>;
  return told;
}

type Writable<Type> = { -readonly [Name in keyof Type]: Type[Name] };

/** What it needs of its owner. */
export interface InboxHost {
  readonly stores: readonly Store[];
  readonly authenticate: Authenticate | null;
  readonly subscribers: Subscribers;
  readonly partials: ReadonlyMap<number, PartialObject>;
  failed(error: unknown): void;
  log(entry: LogEntry): void;
}

/** Hears notices. */
export class Inbox {
  readonly #host: InboxHost;
  #port!: Port;

  constructor(host: InboxHost) {
    this.#host = host;
  }

  /** Where answers go. */
  attach(port: Port): void {
    this.#port = port;
  }

  /** Called with a JSON array of notices. */
  readonly told = (notices: string): void => {
    for (const notice of JSON.parse(notices) as readonly Notice[]) {
      try {
        this.#hear(notice);
      } catch (error) { // the others are heard all the same
        this.#host.failed(error);
      }
    }
  };

  #hear(notice: Notice): void {
    switch (notice[0]) {
      case 3:
        this.#run(notice[1], notice[2], notice[3]);
        break;
      case 4:
        this.#judge(notice[1], notice[2], notice[3], notice[4]);
        break;
      case 5:
        void this.#identify(notice[1], notice[2], notice[3], notice[4]);
        break;
      case 6:
        this.#log(notice[1], notice[2], notice[3]);
        break;
      case 8:
        this.#host.partials.get(notice[1])?.fail(asError(notice[2], notice[3]));
        break;
      default:
        this.#port.settle(notice);
    }
  }

  #run(ticket: number, user: string, events: readonly NativeEvent[]): void {
    const run: Delivery[] = events.map((event) => ({
      store: event[0],
      event: eventOf(user, event),
    }));
    this.#host.subscribers.handle(run, () => this.#port.tell("k", String(ticket)));
  }

  #judge(ticket: number, at: number, action: number, object: NativeObject | null): void {
    const store = this.#host.stores[at] as Store;
    judge(store, ACTIONS[action] as Action, object ?? undefined, (refused) => {
      const { code, message, path } = refused ?? { code: "", message: "", path: "" };
      this.#port.tell("v", String(ticket), code, fieldText(message), fieldText(path));
    });
  }

  async #identify(ticket: number, token: string, remote: string, head: string): Promise<void> {
    let user: unknown = "";
    let expiresMs: unknown = 0;
    try {
      const identity: Identity | null | undefined =
        await this.#host.authenticate?.(requestOf(token, remote, head));
      ({ user, expiresMs = 0 } =
        typeof identity === "string" ? { user: identity } : (identity ?? { user: "" }));
    } catch (error) {
      user = "";
      expiresMs = 0;
      this.#host.failed(error);
    }
    if (typeof user !== "string" || user.includes("\0") || !isMoment(expiresMs)) {
      this.#host.failed(new SyncError("invalid_argument", "authenticate gave no identity"));
      this.#port.tell("i", String(ticket), "", "0");
    } else {
      this.#port.tell("i", String(ticket), user, String(expiresMs));
    }
  }

  #log(level: number, event: string, message: string): void {
    this.#host.log({ level: LOG_LEVELS[level] ?? "error", event, message });
  }
}

function isMoment(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
