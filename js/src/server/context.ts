/** Whose data a call is about, and what a subscriber leaves open. */
import { SyncError } from "../client/error.js";
import type { PartialObject } from "./partial.js";
import type { Context } from "./types.js";

const USER_BYTES_MAX = 255;

/** The user's id, checked. Throws `invalid_argument`. */
export function userOf(ctx: Context): string {
  const user: unknown = (ctx as Context | undefined)?.user;
  if (
    typeof user !== "string" || user === "" || user.includes("\0") ||
    Buffer.byteLength(user) > USER_BYTES_MAX
  ) {
    throw new SyncError("invalid_argument", "a user's id is 1 to 255 bytes of text");
  }
  return user;
}

/** A subscriber's: partials that are open when it returns are aborted. */
export class RunContext implements Context {
  readonly user: string;
  #partials: Set<PartialObject> | null = null;
  #ended = false;

  constructor(user: string) {
    this.user = user;
  }

  /** What comes too late, after the subscriber returned, is aborted at once. */
  begun(partial: PartialObject): void {
    if (this.#ended) partial.abort();
    else (this.#partials ??= new Set()).add(partial);
  }

  done(partial: PartialObject): void {
    this.#partials?.delete(partial);
  }

  end(): void {
    this.#ended = true;
    if (this.#partials) for (const partial of [...this.#partials]) partial.abort();
  }
}
