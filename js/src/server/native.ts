/**
 * The addon (bindings/node): finding and loading it, and what it exports.
 *
 * What crosses goes in batches, as one text either way. To C: fields that end in NUL, each request
 * an operation and its fields (`Operation`). To JavaScript: one JSON array of notices (`Notice`).
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** Options as the addon reads them: checked, in camelCase; what is left out is the default. */
export interface NativeOptions {
  readonly url: string;
  /** A stores file (docs/schema.md). */
  readonly stores: string;
  readonly origins: readonly string[];
  /** Whether identities are asked of JavaScript. */
  readonly authenticates: boolean;
  /** Durability `normal`. */
  readonly normal: boolean;
  /** The least important level of the log that is told: 0 error, 1 warn, 2 info, 3 debug. */
  readonly logLevel: number;
  readonly [name: string]: string | number | boolean | readonly string[];
}

/** What the addon tells, each an array that begins with its kind. */
export type Notice =
  | readonly [kind: 0, ticket: number, id: string, eventId: string]
  | readonly [kind: 1, ticket: number, code: string, message: string, path: string]
  | readonly [kind: 2, ticket: number, records: readonly NativeRecord[]]
  | readonly [kind: 3, ticket: number, user: string, events: readonly NativeEvent[]]
  | readonly [kind: 4, ticket: number, store: number, action: number, object: NativeObject | null]
  | readonly [kind: 5, ticket: number, token: string, remote: string, head: string]
  | readonly [kind: 6, level: number, event: string, message: string]
  /** The partial that a request begins has this number. */
  | readonly [kind: 7, ticket: number, partial: number]
  /** A partial has missed something: it is not what its maker believes. */
  | readonly [kind: 8, partial: number, code: string, message: string];

export type NativeRecord = readonly [
  id: string,
  eventId: string,
  clientId: string | null,
  object: NativeObject,
];

export type NativeEvent = readonly [
  store: number,
  action: number,
  id: string,
  eventId: string,
  clientId: string | null,
  object: NativeObject,
  previous: NativeObject | null,
];

/** An object's JSON, parsed. */
export type NativeObject = Record<string, unknown>;

/** An open database. */
export type NativeHandle = { readonly native: unique symbol };

/**
 * What the addon exports. Functions throw `Error` with `code` and `path`; with a handle that is
 * closed, `closed`.
 */
export interface Native {
  /** Opens; JavaScript is asked about changes of the stores `judged`. */
  open(
    options: NativeOptions,
    judged: readonly number[],
    told: (notices: string) => void,
  ): NativeHandle;
  /** Hands over a batch of requests. Never blocks. Gives notices that have to be heard at once. */
  submit(handle: NativeHandle, requests: string): string | undefined;
  /** Asks for the events of a store. */
  subscribe(handle: NativeHandle, store: number): void;
  /** Gives the port. */
  listen(
    handle: NativeHandle,
    host: string,
    port: number,
    cert: string,
    key: string,
    devAuth: boolean,
    pages: string,
  ): number;
  /** The library goes on with a connected socket whose request was read; `fd` is its own then. */
  adopt(handle: NativeHandle, fd: number, head: Buffer, rest: Buffer, remote: string): void;
  /** Whether the process waits for this database. */
  hold(handle: NativeHandle, held: boolean): void;
  /** Devices are not heard any more, and no new one is let in. */
  drain(handle: NativeHandle): void;
  /** Shuts down; `done` is called once nothing of it is left. */
  close(handle: NativeHandle, done: () => void): void;
  /** Shuts down before it returns and waits for no device: for the end of the process. */
  closeNow(handle: NativeHandle): void;
  /** Two connected sockets' descriptors. */
  socketPair(): [number, number];
  /** A second descriptor of the same socket. */
  duplicate(fd: number): number;
  closeDescriptor(fd: number): void;
}

const require = createRequire(import.meta.url);
const folder = fileURLToPath(new URL("../../native/", import.meta.url));

const PLACES = [
  `${folder}build/syncdb.node`,
  `${folder}prebuilds/${process.platform}-${process.arch}/syncdb.node`,
];

function whyMissing(): string {
  const note = `${folder}build/failed.txt`;
  const reason = existsSync(note) ? readFileSync(note, "utf8").trim() : "it was not built.";
  return (
    `syncdb/server needs its native part: ${reason}\n` +
    "Build it with `npm rebuild syncdb` (or `node node_modules/syncdb/native/build.js`)."
  );
}

let loaded: Native | undefined;

/**
 * The addon: what SYNCDB_NATIVE names, what was built at install, or what was prebuilt. Throws an
 * error that says what is missing.
 */
export function loadNative(): Native {
  if (loaded) return loaded;
  const place = process.env["SYNCDB_NATIVE"] ?? PLACES.find((path) => existsSync(path));
  if (!place) throw new Error(whyMissing());
  loaded = require(place) as Native;
  return loaded;
}
