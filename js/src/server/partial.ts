/** Objects that grow on the user's devices while they are made (protocol.md section 4). */
import { setImmediate as nextTurn } from "node:timers/promises";
import { SyncError } from "../client/error.js";
import { fieldText, jsonOf, type Done, type Port } from "./port.js";
import type { Context, Receipt, TextField } from "./types.js";

/** A stream appends so many pieces before it lets the loop turn. */
const PIECES_A_TURN = 64;

/** What the owner of a partial does for it. */
export interface PartialHost {
  readonly port: Port;
  /** Checks what only JavaScript can check before it is stored. */
  check(object: object): void | Promise<void>;
  /** It was committed or aborted. */
  ended(): void;
}

/** UTF-16 writes some characters as two units; what is cut between them is no text on its way. */
function endsInHalf(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}

/**
 * An object of an event store while it is being made. Nothing of it is stored before `commit`.
 * What was begun by a subscriber and neither committed nor aborted is aborted when it returns.
 */
export class PartialObject<Value extends object = object> {
  readonly #host: PartialHost;
  readonly #user: string;
  readonly #number: string;
  readonly #object: Record<string, unknown>;
  #open = true;
  #committing = false;
  /** By field, the first half of a character whose second half is still to come. */
  readonly #halves = new Map<string, string>();
  #broken: SyncError | null = null;
  /** The id that the object will have. */
  readonly id: string;

  /** Made by `Database.partial`. */
  constructor(host: PartialHost, ctx: Context, done: Done, object: object) {
    this.#host = host;
    this.#user = ctx.user;
    this.#number = String(done.partial);
    this.#object = { ...object };
    this.id = done.id;
  }

  /** Whether it was neither committed nor aborted. */
  get open(): boolean {
    return this.#open;
  }

  /**
   * Appends `text` to a field that holds text. Does not wait: what is wrong with it is the error
   * of the commit. Throws `closed` from the commit on (until it is refused) and after abort,
   * `invalid_object` where there is no text. Text may be cut anywhere, also within a character.
   */
  append(field: TextField<Value>, text: string): void {
    this.#mustBeMine();
    const before = this.#object[field];
    if (typeof before !== "string") {
      throw new SyncError("invalid_object", `${field} holds no text`, `/${field}`);
    }
    const due = (this.#halves.get(field) ?? "") + text;
    const end = endsInHalf(due) ? due.length - 1 : due.length;
    this.#append(field, due.slice(0, end));
    if (end < due.length) this.#halves.set(field, due.slice(end));
    else this.#halves.delete(field);
    this.#object[field] = before + text;
  }

  /** Puts `object` in place of what there is. Does not wait. Throws as `append`. */
  set(object: Partial<Value>): void {
    this.#mustBeMine();
    this.#host.port.tell("t", this.#user, this.#number, jsonOf(object));
    this.#halves.clear();
    for (const name of Object.keys(this.#object)) delete this.#object[name];
    Object.assign(this.#object, object);
  }

  /**
   * Stores it as it stands. Rejects as `Database.push` does; it is then still open: set it right
   * and commit again, or abort it.
   */
  async commit(): Promise<Receipt> {
    this.#mustBeMine();
    this.#committing = true; // what is checked is what is stored
    try {
      for (const [field, half] of this.#halves) this.#append(field, half);
      this.#halves.clear();
      await this.#host.check(this.#object);
      this.#mustBeOpen();
      const answer = await this.#host.port.ask("c", this.#user, this.#number);
      this.#end();
      const { id, eventId } = answer as Done;
      return { id, eventId };
    } finally {
      this.#committing = false;
    }
  }

  /** Gives it up: devices drop it. Does nothing after commit or abort. */
  abort(): void {
    if (!this.#open) return;
    this.#host.port.tell("x", this.#user, this.#number);
    this.#end();
  }

  #append(field: string, text: string): void {
    if (text === "") return;
    this.#host.port.tell("a", this.#user, this.#number, field, fieldText(text));
  }

  #end(): void {
    this.#open = false;
    this.#host.ended();
  }

  /** Something of it was not taken (the library has too much to do): it must not be stored. */
  fail(error: SyncError): void {
    this.#broken = error;
  }

  #mustBeMine(): void {
    this.#mustBeOpen();
    if (this.#committing) throw new SyncError("closed", "the partial is being committed");
  }

  #mustBeOpen(): void {
    if (this.#broken) throw this.#broken;
    if (!this.#open) throw new SyncError("closed", "the partial was committed or aborted");
  }
}

/**
 * Appends what `pieces` gives to `field`, then commits. Where `pieces` or the commit fails the
 * partial is aborted and the error is thrown on.
 */
export async function pour<Value extends object>(
  partial: PartialObject<Value>,
  field: TextField<Value>,
  pieces: AsyncIterable<string>,
): Promise<Receipt> {
  try {
    let count = 0;
    for await (const piece of pieces) {
      partial.append(field, piece);
      if (++count % PIECES_A_TURN === 0) await nextTurn();
    }
    return await partial.commit();
  } catch (error) {
    partial.abort();
    throw error;
  }
}
