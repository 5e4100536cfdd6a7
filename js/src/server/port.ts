/**
 * Requests and their answers. What a turn of the loop asks for goes to the addon in one text, and
 * what the library has to say comes in one: neither side is called once an object.
 *
 * Invariant: the process is held (the addon's handle is referenced) while a request waits for its
 * answer, somebody listens or the database is being closed, and not longer.
 */
import type { ErrorCode } from "../core/core.js";
import { messageOf, SyncError } from "../client/error.js";
import type { Native, NativeHandle, NativeRecord, Notice } from "./native.js";

/** Over this a batch is not waited for any longer. */
const BATCH_CHARACTERS = 1 << 20;

/** Text that ends up in a field: a NUL ends a field, so it is written in another way. */
const SPECIAL = /[\0\x01]/g;

/** Escapes free text for a field; C undoes it. JSON never needs it. */
export function fieldText(text: string): string {
  if (text === "") return text;
  return text.replace(SPECIAL, (character) => (character === "\0" ? "\x010" : "\x011"));
}

/** An object for a field. Throws `invalid_object` where JSON cannot say it. */
export function jsonOf(object: object): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(object);
  } catch (thrown) {
    throw new SyncError("invalid_object", messageOf(thrown));
  }
  if (json === undefined) throw new SyncError("invalid_object", "JSON cannot say this");
  return json;
}

/** What a change, or the begin of a partial (then with its number), was answered. */
export interface Done {
  readonly id: string;
  readonly eventId: string;
  readonly partial: number;
}

/** What a request was answered: a change's ids, or records. */
export type Answer = Done | readonly NativeRecord[];

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  partial: number;
}

function closed(): SyncError {
  return new SyncError("closed", "the database is closed");
}

/** The error that the library told. Its codes are those of the protocol (syncdb/status.h). */
export function asError(code: string, message: string, path = ""): SyncError {
  return new SyncError(code as ErrorCode, message, path);
}

/**
 * A NUL in a field would end it, and what follows would be read as further requests: nothing that
 * comes from outside may be written so. JSON and `fieldText` have none.
 */
function checkFields(fields: readonly string[]): void {
  for (const field of fields) {
    if (typeof field === "string" && !field.includes("\0")) continue;
    throw new SyncError("invalid_argument", "a NUL, or what is no text, in a request");
  }
}

/** The line to the addon. */
export class Port {
  readonly #native: Native;
  #handle: NativeHandle | null = null;
  #closing = false;
  #out = "";
  #scheduled = false;
  #tickets = 0;
  #held = false;
  readonly #waiting = new Map<number, Waiting>();
  /** Hears notices that a batch of requests brought at once. */
  readonly #told: (notices: string) => void;

  constructor(native: Native, told: (notices: string) => void) {
    this.#native = native;
    this.#told = told;
  }

  attach(handle: NativeHandle): void {
    this.#handle = handle;
  }

  /** The database's handle. Throws `closed` once the database is closing. */
  get handle(): NativeHandle {
    if (!this.#handle || this.#closing) throw closed();
    return this.#handle;
  }

  /** From now on the process does not end by itself, until the database is closed. */
  holdProcess(): void {
    this.#held = true;
    this.#hold();
  }

  /** Sends a request that has no answer. Throws `invalid_argument`: a NUL in a field. */
  tell(operation: string, ...fields: readonly string[]): void {
    checkFields(fields);
    if (this.#handle) this.#write(operation, fields);
  }

  /** Sends a request; its answer, or the library's refusal as a `SyncError`. */
  ask(operation: string, ...fields: readonly string[]): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      if (!this.#handle || this.#closing) {
        reject(closed());
        return;
      }
      checkFields(fields); // what it throws rejects this request alone
      const ticket = ++this.#tickets;
      this.#waiting.set(ticket, { resolve, reject, partial: 0 });
      if (this.#waiting.size === 1) this.#hold();
      this.#write(operation + "\0" + ticket, fields);
    });
  }

  /** Settles what `notice` is about, if it is about a request. */
  settle(notice: Notice): void {
    const waiting = this.#waiting.get(notice[1]);
    if (!waiting) return;
    if (notice[0] === 7) {
      waiting.partial = notice[2];
      return;
    }
    this.#waiting.delete(notice[1]);
    const { partial } = waiting;
    if (notice[0] === 0) waiting.resolve({ id: notice[2], eventId: notice[3], partial });
    else if (notice[0] === 1) waiting.reject(asError(notice[2], notice[3], notice[4]));
    else if (notice[0] === 2) waiting.resolve(notice[2]);
    if (this.#waiting.size === 0) this.#hold();
  }

  /** Hands over what was written so far. */
  flush(): void {
    const out = this.#out;
    this.#out = "";
    if (!out || !this.#handle) return;
    const notices = this.#native.submit(this.#handle, out);
    if (notices !== undefined) this.#told(notices);
  }

  /** No request is taken any more but those without an answer. */
  stop(): void {
    this.#closing = true;
  }

  /** The database is closed: what still waits is refused. */
  end(): void {
    this.#closing = true;
    this.#handle = null;
    this.#out = "";
    const left = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of left) reject(closed());
  }

  #write(operation: string, fields: readonly string[]): void {
    this.#out += operation + "\0";
    for (const field of fields) this.#out += field + "\0";
    if (this.#out.length > BATCH_CHARACTERS) {
      this.flush();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      process.nextTick(() => {
        this.#scheduled = false;
        this.flush();
      });
    }
  }

  #hold(): void {
    if (!this.#handle) return;
    this.#native.hold(this.#handle, this.#held || this.#waiting.size > 0);
  }
}
