/** Tokens: where they come from, and what of a JSON Web Token this side reads. */
import type { ClientOptions } from "./api.js";

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

/** The application's tokens: the one it gave, and those that its function gives. */
export class Tokens {
  #ask: Exclude<ClientOptions["token"], string>;
  #held: string | undefined;
  #shown: string | undefined;

  constructor(option: ClientOptions["token"]) {
    if (typeof option === "string") this.#held = option;
    else this.#ask = option;
  }

  set(token: string): void {
    this.#held = token;
  }

  /** One that is to be shown later. Rejects as the application's function does. */
  async peek(): Promise<string> {
    return (this.#held ??= await this.#ask!({ refused: false }));
  }

  /** The one to show; `undefined`: there is none but the one that was refused. */
  async next(refused: boolean): Promise<string | undefined> {
    const isNew = this.#held !== this.#shown;
    if (!isNew && this.#ask) this.#held = await this.#ask({ refused });
    else if (!isNew && refused) return undefined;
    return (this.#shown = this.#held);
  }
}
