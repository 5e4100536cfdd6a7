/** Objects that grow on the user's devices while they are made (protocol.md section 4). */
import { setImmediate as nextTurn } from "node:timers/promises";
import { SyncError } from "../client/error.js";
import { fieldText, type Done, type Port } from "./port.js";
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
   * of the commit. Throws `closed` after commit and abort, `invalid_object` where there is no text.
   */
  append(field: TextField<Value>, text: string): void {
    this.#mustBeOpen();
    const before = this.#object[field];
    if (typeof before !== "string") {
      throw new SyncError("invalid_object", `${field} holds no text`, `/${field}`);
    }
    this.#host.port.tell("a", this.#user, this.#number, field, fieldText(text));
    this.#object[field] = before + text;
  }

  /** Puts `object` in place of what there is. Does not wait. Throws as `append`. */
  set(object: Partial<Value>): void {
    this.#mustBeOpen();
    for (const name of Object.keys(this.#object)) delete this.#object[name];
    Object.assign(this.#object, object);
    this.#host.port.tell("t", this.#user, this.#number, JSON.stringify(object));
  }

  /**
   * Stores it as it stands. Rejects as `Database.push` does; it is then still open: set it right
   * and commit again, or abort it.
   */
  async commit(): Promise<Receipt> {
    this.#mustBeOpen();
    await this.#host.check(this.#object);
    this.#mustBeOpen();
    const answer = await this.#host.port.ask("c", this.#user, this.#number);
    this.#end();
    const { id, eventId } = answer as Done;
    return { id, eventId };
  }

  /** Gives it up: devices drop it. Does nothing after commit or abort. */
  abort(): void {
    if (!this.#open) return;
    this.#host.port.tell("x", this.#user, this.#number);
    this.#end();
  }

  #end(): void {
    this.#open = false;
    this.#host.ended();
  }

  /** Something of it was not taken (the library has too much to do): it must not be stored. */
  fail(error: SyncError): void {
    this.#broken = error;
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
