/** Tokens: where they come from, and what of a JSON Web Token this side reads. */
import type { ClientOptions } from "./api.js";
import { SyncError } from "./error.js";

interface Claims {
  readonly sub?: unknown;
  readonly exp?: unknown;
}

/** It trusts them with nothing. */
function claimsOf(token: string): Claims {
  try {
    const base64 = token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return (JSON.parse(new TextDecoder().decode(bytes)) ?? {}) as Claims;
  } catch {
    return {};
  }
}

/** Whose token it is; `undefined`: it does not say, or is no JWT. */
export function userOf(token: string): string | undefined {
  const { sub } = claimsOf(token);
  return typeof sub === "string" && sub ? sub : undefined;
}

/** How long it is still good for; 0: not known. */
export function lifetimeOf(token: string): number {
  const { exp } = claimsOf(token);
  return typeof exp === "number" ? Math.max(1, exp * 1000 - Date.now()) : 0;
}

/**
 * The application's tokens: the one it gave, and those that its function gives. All are of one
 * user, of the first that says whose it is: another's would be sent what this one pushed.
 */
export class Tokens {
  #ask: Exclude<ClientOptions["token"], string>;
  #held: string | undefined;
  #shown: string | undefined;
  #user: string | undefined;

  constructor(option: ClientOptions["token"]) {
    if (typeof option === "string") this.set(option);
    else this.#ask = option;
  }

  /** Gives `token` back. Throws `unauthorized`: it is another user's. */
  own(token: string): string {
    const user = userOf(token);
    if (user !== undefined && user !== (this.#user ??= user))
      throw new SyncError("unauthorized", "the token is of another user");
    return token;
  }

  /** Throws as `own`. */
  set(token: string): void {
    this.#held = this.own(token);
  }

  /** The tab that leads, which knows more, did not take it. */
  drop(token: string): void {
    if (this.#held === token) this.#held = this.#user = undefined;
  }

  /** One that is to be shown later. Rejects as the application's function and `own` do. */
  async peek(): Promise<string> {
    return (this.#held ??= this.own(await this.#ask!({ refused: false })));
  }

  /** The one to show; `undefined`: there is none but the one that was refused. Rejects alike. */
  async next(refused: boolean): Promise<string | undefined> {
    const isNew = this.#held !== this.#shown;
    if (!isNew && this.#ask) this.set(await this.#ask({ refused }));
    else if (!isNew && refused) return undefined;
    return (this.#shown = this.#held);
  }
}
