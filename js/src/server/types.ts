/** What an application gives to and gets from a database. */
import type { IncomingHttpHeaders } from "node:http";
import type { SyncObject } from "../client/api.js";
import type { Action, Store } from "../store.js";

/** Whose data a call is about: given to subscribers, or made with `Database.as`. */
export interface Context {
  /** The user's id: 1 to 255 bytes. */
  readonly user: string;
}

/** A change by a client that was stored. */
export interface StoreEvent<Value extends object = object> {
  readonly action: Action;
  /** The object's id. */
  readonly id: string;
  /** The event's place in the user's log. */
  readonly eventId: string;
  /** The new object; of a delete the one that was removed. */
  readonly object: SyncObject<Value>;
  /** What an update replaced. */
  readonly previous?: SyncObject<Value>;
  readonly user: string;
  /** What the client called its push; absent where it gave none. */
  readonly clientId?: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** The application's code on an event. */
export type Subscriber<Value extends object> = (
  event: StoreEvent<Value>,
  ctx: Context,
) => void | Promise<void>;

/** What a change was stored as. */
export interface Receipt {
  /** The object's id. */
  readonly id: string;
  /** The change's place in the user's log. */
  readonly eventId: string;
}

/** An object as it is stored. */
export interface StoredRecord<Value extends object = object> {
  readonly id: string;
  readonly eventId: string;
  /** Of the push that it came from; absent where the server made it. */
  readonly clientId?: string;
  readonly object: SyncObject<Value>;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** What a device showed when it connected. */
export interface AuthenticateRequest {
  /** From `Authorization: Bearer`, the cookie `syncdb_token`, `?token=`, or a message. */
  readonly token: string;
  /** The peer's address; empty where the token came in a message. */
  readonly remoteAddress: string;
  /** Path and query of the upgrade; empty where the token came in a message. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** Who a device is: a user's id, or with the moment (ms since the epoch) that it expires. */
export type Identity = string | { readonly user: string; readonly expiresMs?: number };

/** Who is this? `null`: nobody; the connection closes with 4401. */
export type Authenticate = (
  request: AuthenticateRequest,
) => Identity | null | Promise<Identity | null>;

/** Levels of the log, the most important first. */
export type LogLevel = "error" | "warn" | "info" | "debug";

/** Something that happened. Holds no secret. */
export interface LogEntry {
  readonly level: LogLevel;
  /** A fixed word, as "listening". */
  readonly event: string;
  readonly message: string;
}

/** Options of `createDatabase`. What is left out has the C server's default. */
export interface DatabaseOptions {
  /** "sqlite://relative.sqlite" or "sqlite:///absolute/path.sqlite". */
  readonly dbUrl: string;
  /** 1 to 256 stores, their names distinct on the wire too. */
  readonly stores: readonly Store[];
  /** `full` (default): what was acknowledged survives power loss; `normal`: a crash. */
  readonly durability?: "full" | "normal";
  /** How long a device may be away and still be told of removes one by one. Default 90 days. */
  readonly rememberRemovesMs?: number;
  /** How long client ids are remembered. Default and least: 7 days. */
  readonly dedupeWindowMs?: number;
  /** Overwrite what is removed with zeros in the file. */
  readonly secureDelete?: boolean;
  /** Threads for catch-up. Default 2. */
  readonly readers?: number;
  /** For how many users subscribers run at the same time. Default 1,024. */
  readonly concurrency?: number;

  /** One way of identity: this, or one of the next three. */
  readonly authenticate?: Authenticate;
  /** JWT, HS256: at least 32 bytes. */
  readonly jwtSecret?: string;
  /** JWT, a public key as PEM; its type decides: RS256, ES256 or EdDSA. */
  readonly jwtPublicKey?: string;
  /** `?user=NAME` is believed: for trying out, on loopback only. */
  readonly devAuth?: boolean;

  /** Pages that may connect, as "https://app.example"; "*": any; none: the server's own host. */
  readonly origins?: readonly string[];
  /** Offer no permessage-deflate. */
  readonly noCompression?: boolean;
  /** Compress on loopback too. */
  readonly compressLoopback?: boolean;
  /**
   * A folder of built pages, served to everybody: read when the database is opened, 1,024 files and
   * 64 MiB at most.
   */
  readonly pages?: string;
  /** Their Content-Security-Policy. Default: what is of this server, WebAssembly, none inline. */
  readonly pagesPolicy?: string;

  /** Default 1 MiB, at most 64 MiB; over it the connection closes with 1009. */
  readonly messageBytesMax?: number;
  /** Default 256 KiB, at most 64 MiB; over it `too_large`. */
  readonly objectBytesMax?: number;
  /** Default 32, at most 64. */
  readonly depthMax?: number;
  /** Of a connection. Default: no limit. */
  readonly pushesPerSecond?: number;
  /** Default: as many as file descriptors allow. */
  readonly connectionsMax?: number;
  /** Default 64. */
  readonly connectionsPerUser?: number;
  /** Default 256 KiB: catch-up waits, partials fold. */
  readonly outputSoftBytes?: number;
  /** Default 4 MiB: a reader this slow is closed with 1013. */
  readonly outputHardBytes?: number;
  /** Default 5,000. */
  readonly helloTimeoutMs?: number;
  /** Default 30,000. */
  readonly pingIntervalMs?: number;

  /** The least important level that `on("log")` is given. Default `info`. */
  readonly logLevel?: LogLevel;
}

/** Options of `Database.listen`. */
export interface ListenOptions {
  /** 0 (default): a free one. */
  readonly port?: number;
  /** An IPv4 or IPv6 address. Default 127.0.0.1. */
  readonly host?: string;
  /** Paths of PEM files. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** As in `DatabaseOptions`, where no way of identity was set there. */
  readonly devAuth?: boolean;
  /** As in `DatabaseOptions`, where none were set there: served by all ports from then on. */
  readonly pages?: string;
}

/** Options of `Database.list`. */
export interface ListOptions {
  /** The `eventId` of the last record of the page before. */
  readonly before?: string;
  /** 1 to 1,000. Default 100. */
  readonly limit?: number;
}

/** Options of `Database.close`. */
export interface CloseOptions {
  /** How long subscribers that run are waited for. Default 5,000. */
  readonly graceMs?: number;
}

/** The names of `Value`'s fields that hold text. */
export type TextField<Value> = {
  [Name in keyof Value & string]-?: NonNullable<Value[Name]> extends string ? Name : never;
}[keyof Value & string];
