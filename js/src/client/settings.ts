/** The options of a client, checked, with what they leave open decided. */
import type { StorageFactory } from "../core/storage.js";
import { openIndexedDB } from "../storage/indexeddb.js";
import type { Store } from "../store.js";
import type { ClientOptions } from "./api.js";
import { SyncError } from "./error.js";
import { userOf } from "./token.js";
import { socketUrl } from "./url.js";

export interface Settings {
  readonly url: string;
  /** The durable storage; `undefined`: memory. */
  readonly open: StorageFactory | undefined;
  /** The browser's own, which all its tabs share. */
  readonly isShared: boolean;
  readonly windows: readonly (number | undefined)[];
  /** `undefined`: the token that the function gives will say. */
  readonly user: string | undefined;
}

const refused = (message: string): SyncError => new SyncError("invalid_argument", message);

export const noUser = (): SyncError =>
  refused("user: say whose data it is; neither the url's query nor the token does");

function windowOf({ name, type }: Store, window: ClientOptions["window"]): number | undefined {
  const events = typeof window === "object" ? window[name] : window;
  if (events === undefined || type === "singular") return undefined;
  if (!Number.isInteger(events) || events < 1) throw refused("window: a number from 1 on");
  return events;
}

function storageOf({ storage }: ClientOptions): StorageFactory | undefined {
  if (typeof storage === "function") return storage;
  const isThere = typeof indexedDB !== "undefined";
  if (storage === "memory" || (!storage && !isThere)) return undefined;
  if (isThere && (!storage || storage === "indexeddb")) return openIndexedDB;
  throw refused(`storage: there is no ${storage} here`);
}

/** Throws `invalid_argument`. */
export function settle(options: ClientOptions): Settings {
  const url = socketUrl(options.url);
  const { token, stores } = options;
  if (stores.length < 1 || stores.length > 256) throw refused("stores: 1 to 256");
  const open = storageOf(options);
  const user =
    options.user ??
    url.searchParams.get("user") ??
    (typeof token === "string" ? userOf(token) : undefined) ??
    (open ? undefined : "");
  if (user === undefined && typeof token !== "function") throw noUser();
  return {
    url: url.href,
    open,
    isShared: open === openIndexedDB && options.tabs !== false,
    windows: stores.map((store) => windowOf(store, options.window)),
    user,
  };
}
