/**
 * The device's engine: core, storage, socket and timers, as src/client is natively.
 *
 * Each input is followed by a turn, which carries out what the core says until it says nothing
 * more; what is to be shown leaves as one list of items at its end, in the core's order. Asks are
 * kept by who asked, and asked again after `begin`, so an engine may be lost at any time.
 *
 * Nothing leaves here as an exception. What is thrown inside (a trap of the module, a defect) is
 * told, and the core is built anew from the storage.
 */
import { Core } from "../core/core.js";
import type {
  CoreError, CoreOptions, ErrorCode, Operation, OperationAnswer, Output, Phase, Request,
} from "../core/core.js";
import type { StorageFactory } from "../core/storage.js";
import type { WebSocketConstructor } from "./api.js";
import { problemOf } from "./ask.js";
import type { Ask, EngineStatus, Item } from "./ask.js";
import { messageOf, SyncError } from "./error.js";
import { Keeper } from "./keeper.js";
import { dial } from "./socket.js";
import type { Connection } from "./socket.js";
import { lifetimeOf } from "./token.js";

const REBUILD_FIRST_MS = 100; // then four times as long each time
const REBUILD_MAX_MS = 30000;
const STABLE_MS = 60000; // without a failure: that begins anew
const GATHER_MAX_MS = 50; // then the server is answered, whatever the storage does
const TIMER_MAX_MS = 2 ** 31 - 1;

/** The codes that say why a connection ended, as errors' codes; others: `unavailable`. */
const CODE_OF_CLOSE: { readonly [code: number]: ErrorCode } = {
  1009: "too_large", 4400: "bad_message", 4401: "unauthorized", 4429: "rate_limited",
};

/** What an engine is made of. */
export interface EngineOptions {
  /** Loads the module; asked again where that failed. */
  readonly module: () => Promise<WebAssembly.Module>;
  readonly core: CoreOptions;
  readonly url: string;
  readonly webSocket: WebSocketConstructor;
  /** Names the local database. */
  readonly name: string;
  /** Opens the durable storage; `undefined`: memory. */
  readonly open: StorageFactory | undefined;
  /** What is to be said of that, or "". */
  readonly problem: string;
  /** It goes on in memory where the storage does not open in this time; `undefined`: it waits. */
  readonly patienceMs: number | undefined;
  /** `undefined`: there is no other. */
  readonly token: (refused: boolean) => Promise<string | undefined>;
  /** Throws `unauthorized`: this token, of any tab, is another user's. */
  readonly own: (token: string) => string;
  /** Must not throw. May ask. */
  readonly emit: (items: readonly Item[]) => void;
  /** Another leader has the storage: this engine is of no more use. */
  readonly fenced: () => void;
}

type Input = (core: Core, now: number) => unknown;

export class Engine {
  #core: Core | undefined;
  #closed = false;
  #turning = false;
  #begun = false;
  #items: Item[] = [];
  #asked = new Map<number, (done: Output & { type: "done" }) => void>();
  #lastTag = 0;
  #connection: Connection | undefined;
  #keeper: Keeper;
  #timer: ReturnType<typeof setTimeout> | undefined;

  #statusDue = false;
  #offlineSince: number | null = Date.now();
  #paused: boolean;
  #asking = false;
  #tokenProblem = "";
  #linkProblem = "";

  #failure = "";
  #failures = 0;
  #failedAt = 0;
  #rebuildAt = Infinity;
  /** When what was gathered has its turn at the latest. */
  #turnAt = Infinity;

  constructor(private readonly o: EngineOptions) {
    this.#paused = o.core.startOffline;
    this.#keeper = new Keeper(o.name, o.core.stores, {
      attach: () => this.#input((core, now) => core.attach(this.#keeper.durable, now)),
      changed: () => this.#input(() => (this.#statusDue = true)),
      fenced: o.fenced,
    });
    void this.#start();
  }

  /** Answered by an item, or never, where `begin` comes instead. */
  ask(to: string, n: number, ask: Ask): void {
    if (!this.#begun) return;
    this.#input((core, now) => {
      let value: unknown;
      try {
        const problem = problemOf(ask, this.o.core.stores);
        if (problem) throw new SyncError("invalid_argument", problem);
        if (!this.#isAtOnce(ask)) return this.#request(core, ask, to, n, now);
        value = this.#atOnce(core, ask, now);
      } catch (error) {
        if (!(error instanceof SyncError)) throw error;
        const { code, message, path } = error;
        return this.#answer(to, n, undefined, { code, message, path });
      }
      this.#answer(to, n, value);
    });
  }

  /** What is due: for those whose timers are late, as a hidden page's are. */
  tick(): void {
    const now = performance.now();
    if (this.#rebuildAt <= now) void this.#rebuild();
    this.#keeper.tick(now);
    this.#input((core) => core.deadline() <= now && core.timer(now));
  }

  /** Ends the connection, until `wake`. */
  sleep(): void {
    this.#input((core, now) => core.goOffline(now));
  }

  /** Tries at once, where it waited for its next try; unless it is to stay offline. */
  wake(): void {
    this.tick();
    if (!this.#paused) this.#input((core, now) => core.goOnline(now));
  }

  /** The durable storage may be used from now on. */
  use(open: StorageFactory): void {
    this.#keeper.use(open);
  }

  /**
   * Ends it; resolves when the storage is free. What was answered is stored; what is under way is
   * waited for, or, `now`, given up.
   */
  async close(now: boolean): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#dropCore();
    await this.#keeper.close(now);
  }

  // ---- beginning, and beginning anew

  async #start(): Promise<void> {
    await this.#make();
    if (!this.#closed) await this.#keeper.start(this.o.open, this.o.problem, this.o.patienceMs);
  }

  async #rebuild(): Promise<void> {
    this.#rebuildAt = Infinity;
    await this.#make();
    this.#keeper.reattach();
  }

  async #make(): Promise<void> {
    try {
      const options = { ...this.o.core, startOffline: this.#paused };
      const core = await Core.create(await this.o.module(), options);
      if (this.#closed) core.close();
      else this.#core = core;
    } catch (error) {
      this.#fail(error);
    }
  }

  #dropCore(): void {
    this.#connection?.close(1000);
    this.#connection = undefined;
    this.#asked.clear();
    this.#begun = this.#turning = false;
    this.#core?.close();
    this.#core = undefined;
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    const now = performance.now();
    if (now - this.#failedAt > STABLE_MS) this.#failures = 0;
    this.#failedAt = now;
    const forGood = error instanceof SyncError && error.code === "bad_definition";
    if (!forGood)
      this.#rebuildAt = now + Math.min(REBUILD_FIRST_MS * 4 ** this.#failures++, REBUILD_MAX_MS);
    this.#failure = messageOf(error);
    this.#error(forGood ? "bad_definition" : "unavailable", this.#failure);
    this.#dropCore();
    this.#statusDue = true;
    this.#finish();
  }

  // ---- turns

  /**
   * Does `input`, and all that follows from it. What `mayWait` is gathered while the storage works,
   * for one turn behind that: a commit of many costs little more than of one.
   */
  #input(input: Input, mayWait = false): void {
    const core = this.#core;
    if (this.#closed) return;
    if (!core) return this.#finish();
    // A rule called the client: behind what asked it.
    if (core.isInside) return queueMicrotask(() => this.#input(input, mayWait));
    try {
      const now = performance.now();
      input(core, now);
      if (this.#turning) return;
      if (mayWait && this.#keeper.busy && now < this.#turnAt) {
        if (this.#turnAt === Infinity) {
          this.#turnAt = now + GATHER_MAX_MS;
          this.#arm();
        }
        return;
      }
      this.#turnAt = Infinity;
      this.#turning = true;
      for (let outputs = core.turn(now); outputs.length > 0; outputs = core.turn(now))
        for (const output of outputs) this.#carryOut(core, output);
      this.#turning = false;
      this.#finish();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Tells what there is to tell, and sets the timer. */
  #finish(): void {
    if (this.#statusDue) this.#noteStatus();
    this.#arm();
    const items = this.#items;
    this.#items = [];
    if (items.length > 0) this.o.emit(items);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const core = this.#core?.deadline() ?? Infinity;
    const at = Math.min(core, this.#keeper.deadline, this.#rebuildAt, this.#turnAt);
    if (at === Infinity || this.#closed) return;
    const after = Math.min(Math.max(Math.ceil(at - performance.now()), 0), TIMER_MAX_MS);
    this.#timer = setTimeout(() => this.tick(), after);
  }

  #carryOut(core: Core, output: Output): void {
    switch (output.type) {
      case "operation":
        this.#operate(core, output);
        break;
      case "send":
        this.#connection?.send(output.text);
        break;
      case "connect":
        this.#connect(core);
        break;
      case "disconnect":
        this.#connection?.close(output.code);
        this.#connection = undefined;
        break;
      case "ask_token":
        void this.#askToken(core, output.refused);
        break;
      case "change":
        this.#items.push(output);
        break;
      case "done":
        this.#asked.get(output.tag)?.(output);
        this.#asked.delete(output.tag);
        break;
      case "status":
        this.#statusDue = true;
        break;
      case "storage_failed":
        this.#keeper.failed(output.code);
    }
  }

  #operate(core: Core, operation: Operation): void {
    this.#keeper.run(operation, (value, code) => {
      if (core !== this.#core) return;
      const answer = code ? { error: code } : value === undefined ? {} : { result: value };
      this.#input((_, now) => {
        core.complete(operation.operation, answer as OperationAnswer, now);
        if (operation.kind === "load" && !code) this.#begin();
      });
    });
  }

  #begin(): void {
    this.#failure = "";
    this.#statusDue = true;
    if (!this.#begun) this.#items.push({ type: "begin" });
    this.#begun = true;
  }

  #connect(core: Core): void {
    const told = (input: Input, mayWait?: true): void => {
      if (core === this.#core) this.#input(input, mayWait);
    };
    this.#connection = dial(this.o.webSocket, this.o.url, {
      opened: () => told((_, now) => core.opened(now)),
      message: (text) => told((_, now) => core.message(text, now), true),
      ignored: (problem) => told(() => this.#error("bad_message", problem)),
      closed: (code, reason, problem) =>
        told((_, now) => {
          this.#connection = undefined;
          core.closed(code, reason, problem, now);
        }),
    });
  }

  // ---- asks

  #answer(to: string, n: number, value: unknown, error?: CoreError): void {
    this.#items.push({ type: "answer", to, n, value, ...(error && { error }) });
  }

  #request(core: Core, ask: Ask, to: string, n: number, now: number): void {
    const tag = ++this.#lastTag;
    core.request({ ...ask, tag } as Request, now, Date.now());
    this.#asked.set(tag, ({ error, records, clientId }) =>
      this.#answer(to, n, records ?? clientId, error));
  }

  #isAtOnce({ kind }: Ask): boolean {
    return !/^(push|update|remove|list|get|singular)$/.test(kind);
  }

  #atOnce(core: Core, ask: Ask, now: number): unknown {
    switch (ask.kind) {
      case "older":
        return core.older(ask.store!, ask.before, ask.limit!);
      case "retry":
      case "discard":
        return core[ask.kind](ask.clientId!);
      case "token":
        return this.#giveToken(core, this.o.own(ask.token!), now);
      case "unsynced":
        return core.unsynced();
      case "export":
        return core.exportUnsynced();
      case "goOnline":
      case "goOffline":
        this.#paused = ask.kind === "goOffline";
        this.#statusDue = true;
        return core[ask.kind](now);
    }
    return undefined;
  }

  // ---- tokens

  async #askToken(core: Core, refused: boolean): Promise<void> {
    let token: string | undefined;
    let problem = "";
    this.#asking = true;
    try {
      token = await this.o.token(refused);
      if (token !== undefined) problem = problemOf({ kind: "token", token }, []) ?? "";
    } catch (error) {
      problem = messageOf(error);
    }
    this.#asking = false;
    if (core !== this.#core) return;
    this.#input((_, now) => {
      if (problem) this.#error("unauthorized", `no token: ${problem}`);
      else if (token !== undefined) this.#giveToken(core, token, now);
      this.#tokenProblem = problem && `no token: ${problem}`;
      this.#statusDue = true;
    });
  }

  #giveToken(core: Core, token: string, now: number): void {
    this.#tokenProblem = "";
    core.token(token, lifetimeOf(token), now);
  }

  // ---- telling

  #error(code: ErrorCode, message: string): void {
    this.#items.push({ type: "error", error: { code, message, path: "" } });
  }

  #noteStatus(): void {
    this.#statusDue = false;
    const core = this.#core?.status() ?? IDLE;
    // A server that says no is asked again with another token, if there will be one.
    const waits = core.phase === "unauthorized" && this.#asking;
    const phase: Phase = waits ? "connecting" : core.phase;
    const isConnected = phase === "live" || phase === "catching_up";
    this.#offlineSince = isConnected ? null : (this.#offlineSince ?? Date.now());
    if (core.problem && core.problem !== this.#linkProblem)
      this.#error(CODE_OF_CLOSE[core.closeCode] ?? "unavailable", core.problem);
    this.#linkProblem = core.problem;
    const problems = [this.#failure, this.#keeper.problem, this.#tokenProblem, core.problem];
    const status: EngineStatus = {
      ...core,
      phase,
      storage: this.#keeper.durable ? "durable" : "memory",
      paused: this.#paused,
      offlineSince: this.#offlineSince,
      problem: problems.filter(Boolean).join("; "),
    };
    this.#items.push({ type: "status", status, begun: this.#begun });
  }
}

/** Of a core that is not there. */
const IDLE = {
  phase: "offline" as Phase, storesSynced: 0, pending: 0, failed: 0, closeCode: 0,
  eventsReceived: 0, problem: "",
};
