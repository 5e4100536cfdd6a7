/** Options: checked here, so that a wrong one is refused by its name. */
import { SyncError } from "../client/error.js";
import type { Store } from "../store.js";
import type { NativeOptions } from "./native.js";
import type { DatabaseOptions, LogLevel } from "./types.js";

/** The levels of the log, by their numbers. */
export const LOG_LEVELS: readonly LogLevel[] = ["error", "warn", "info", "debug"];

const UINT32_MAX = 0xffff_ffff;
const USERS_AT_ONCE_MAX = 262_144;
/** What JavaScript can be told of in one piece is bounded. */
const BYTES_MAX = 64 * 1024 * 1024;

/** The greatest value that each numeric option may have; the least is 1. */
const NUMBERS = {
  rememberRemovesMs: Number.MAX_SAFE_INTEGER,
  dedupeWindowMs: Number.MAX_SAFE_INTEGER,
  readers: 64,
  concurrency: USERS_AT_ONCE_MAX,
  messageBytesMax: BYTES_MAX,
  objectBytesMax: BYTES_MAX,
  depthMax: 64,
  pushesPerSecond: UINT32_MAX,
  connectionsMax: UINT32_MAX,
  connectionsPerUser: UINT32_MAX,
  outputSoftBytes: UINT32_MAX,
  outputHardBytes: UINT32_MAX,
  helloTimeoutMs: UINT32_MAX,
  pingIntervalMs: UINT32_MAX,
} as const satisfies { readonly [Name in keyof DatabaseOptions]?: number };

const FLAGS = ["secureDelete", "devAuth", "noCompression", "compressLoopback"] as const;
const TEXTS = ["jwtSecret", "jwtPublicKey", "pages", "pagesPolicy"] as const;
const OTHERS = ["dbUrl", "stores", "durability", "authenticate", "origins", "logLevel"] as const;

const KNOWN: ReadonlySet<string> = new Set([
  ...Object.keys(NUMBERS),
  ...FLAGS,
  ...TEXTS,
  ...OTHERS,
]);

function refuse(message: string): never {
  throw new SyncError("invalid_argument", message);
}

/** One store as a stores file has it. */
function definition(store: Store): object {
  if (store.schema === null) {
    return refuse(
      `store ${store.name} has no schema here: a WebAssembly module has its definition`,
    );
  }
  const { name, type, schema, rules } = store;
  return rules === null ? { name, type, schema } : { name, type, schema, rules };
}

function checked(options: DatabaseOptions): Record<string, string | number | boolean> {
  const values: Record<string, string | number | boolean> = {};
  for (const [name, greatest] of Object.entries(NUMBERS)) {
    const value = options[name as keyof typeof NUMBERS];
    if (value === undefined) continue;
    if (!Number.isSafeInteger(value) || value < 1 || value > greatest) {
      refuse(`${name} is not a whole number from 1 to ${greatest}`);
    }
    values[name] = value;
  }
  for (const name of FLAGS) {
    const value = options[name];
    if (value === undefined) continue;
    if (typeof value !== "boolean") refuse(`${name} is neither true nor false`);
    values[name] = value;
  }
  for (const name of TEXTS) {
    const value = options[name];
    if (value === undefined) continue;
    if (typeof value !== "string" || value === "" || value.includes("\0")) {
      refuse(`${name} is no text`);
    }
    values[name] = value;
  }
  return values;
}

/** What the addon is given. Throws `invalid_argument` with the option's name. */
export function nativeOptions(options: DatabaseOptions): NativeOptions {
  for (const name of Object.keys(options)) {
    if (!KNOWN.has(name)) refuse(`there is no option ${name}`);
  }
  const { dbUrl, stores, durability = "full", authenticate, logLevel = "info" } = options;
  if (typeof dbUrl !== "string" || dbUrl.includes("\0")) refuse("dbUrl is no text");
  if (!Array.isArray(stores) || stores.length === 0) refuse("stores is no list of stores");
  if (durability !== "full" && durability !== "normal") refuse("durability is full or normal");
  if (authenticate !== undefined && typeof authenticate !== "function") {
    refuse("authenticate is no function");
  }
  if (!LOG_LEVELS.includes(logLevel)) refuse(`logLevel is one of ${LOG_LEVELS.join(", ")}`);
  const origins = options.origins ?? [];
  if (!Array.isArray(origins) || !origins.every((origin) => typeof origin === "string")) {
    refuse("origins is no list of texts");
  }
  return {
    ...checked(options),
    url: dbUrl,
    stores: JSON.stringify({ stores: stores.map(definition) }),
    origins,
    authenticates: authenticate !== undefined,
    normal: durability === "normal",
    logLevel: LOG_LEVELS.indexOf(logLevel),
  };
}
