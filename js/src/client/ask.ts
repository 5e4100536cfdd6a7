/**
 * What tabs say to the engine and what it says to them: plain data, so that it can cross a
 * BroadcastChannel. Stores are numbers: tabs whose stores differ do not talk (tabs.ts).
 *
 * Who asks keeps the ask until it is answered, and asks again after each `begin`: what changes
 * something carries the client id that it was given where it was made, and so happens once.
 */
import type { CoreError, Output } from "../core/core.js";
import type { Store } from "../store.js";
import type { ClientStatus } from "./api.js";

export type AskKind = keyof typeof NEEDS;

/** One request; which of the members are there is said by NEEDS. */
export interface Ask {
  readonly kind: AskKind;
  readonly store?: number;
  readonly id?: string;
  readonly before?: string;
  readonly limit?: number;
  /** JSON text. */
  readonly object?: string;
  readonly clientId?: string;
  readonly token?: string;
  /** Perhaps of an engine that is gone, which may have sent it. */
  readonly askedBefore?: boolean;
}

export type Change = Output & { readonly type: "change" };

export type EngineStatus = Omit<ClientStatus, "leader">;

export type Item =
  /** The engine is there, or there anew: ask what was not answered, list what is shown. */
  | { readonly type: "begin" }
  | Change
  | {
      readonly type: "answer"; readonly to: string; readonly n: number;
      readonly error?: CoreError; readonly value?: unknown;
    }
  /** `begun`: it counts what is unsynced; an engine that has not begun does not know. */
  | { readonly type: "status"; readonly status: EngineStatus; readonly begun: boolean }
  | { readonly type: "error"; readonly error: CoreError };

const text = (value: unknown): boolean => typeof value === "string";
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
const uuid = (value: unknown): boolean => text(value) && UUID.test(value as string);
/** How many objects may be asked for at once. */
export const isCount = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) <= 1000;

const CHECKS = {
  id: uuid,
  before: uuid,
  clientId: uuid,
  object: text,
  limit: isCount,
  askedBefore: (value: unknown): boolean => value === true,
  token: (value: unknown): boolean => text(value) && /^[!-~]{1,16384}$/.test(value as string),
};

/** Of each kind: the type of its store, if it has one, and members; `?` where one may be absent. */
const NEEDS = {
  push: ["any", "object", "clientId", "askedBefore?"],
  update: ["event", "id", "object", "clientId", "askedBefore?"],
  remove: ["any", "id?", "clientId", "askedBefore?"],
  list: ["event", "before?", "limit"],
  get: ["event", "id"],
  singular: ["singular"],
  older: ["event", "before?", "limit"],
  retry: ["", "clientId"],
  discard: ["", "clientId"],
  token: ["", "token"],
  unsynced: [""],
  export: [""],
  goOnline: [""],
  goOffline: [""],
} as const;

/** Why `ask`, which may come from anywhere, is none; `undefined`: it is one. */
export function problemOf(ask: Ask, stores: readonly Store[]): string | undefined {
  const needs = Object.hasOwn(NEEDS, ask?.kind) ? NEEDS[ask.kind] : undefined;
  if (!needs) return "no such request";
  const [type, ...members] = needs;
  const store = Number.isInteger(ask.store) ? stores[ask.store!] : undefined;
  if (type && (!store || (type !== "any" && type !== store.type))) return "no such store";
  for (const member of members) {
    const name = member.replace("?", "") as keyof typeof CHECKS;
    if (ask[name] === undefined && member !== name) continue;
    if (!CHECKS[name](ask[name])) return `${name} is not valid`;
  }
  return undefined;
}
