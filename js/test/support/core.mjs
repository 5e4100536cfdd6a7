// js/test/support/core.mjs: a core with a storage in memory, and a clock that the test moves: what
// the client's engine does, without socket and timers.
import { readFile } from "node:fs/promises";
import { Core } from "../../dist/core/core.js";
import { memoryStorage } from "../../dist/storage/memory.js";

const bytes = await readFile(new URL("../../dist/syncdb.wasm", import.meta.url));
export const wasm = await WebAssembly.compile(bytes);

export const message = {
  name: "chat_message", type: "event", rules: null, check: null,
  schema: {
    type: "object", required: ["text"], additionalProperties: false,
    properties: { text: { type: "string" }, code: { type: "string", pattern: "^\\p{Lu}+$" } },
  },
};
export const account = {
  name: "account", type: "singular", rules: null, check: null,
  schema: { type: "object", properties: { name: { type: "string", minLength: 1 } } },
};

export class Device {
  now = 1000;
  wall = 1_800_000_000_000;
  outputs = []; // that nobody has looked at
  #tag = 0;

  static async make({ stores = [message, account], storage, module = wasm, ...options } = {}) {
    const device = new Device();
    device.core = await Core.create(module,
      { stores, needsToken: false, startOffline: false, ...options });
    device.storage = storage ?? memoryStorage(stores);
    device.core.attach(device.storage.durable, device.now);
    device.outputs = await device.settle();
    return device;
  }

  async #carryOut(operation) {
    const { storage } = this;
    switch (operation.kind) {
      case "load": return storage.load();
      case "commit": return storage.commit(operation.changes);
      case "page": return storage.page(operation.store, operation.before, operation.limit);
      case "object": return storage.object(operation.store, operation.id);
      case "sync": return storage.sync();
      default: throw new Error(`no such operation: ${operation.kind}`);
    }
  }

  /** Turns until nothing follows any more. Gives the outputs, operations apart. */
  async settle() {
    for (;;) {
      const turn = this.core.turn(this.now);
      const operations = turn.filter(({ type }) => type === "operation");
      this.outputs.push(...turn.filter(({ type }) => type !== "operation"));
      if (turn.length === 0) break;
      for (const operation of operations) {
        let answer;
        try {
          answer = { result: await this.#carryOut(operation) };
        } catch (error) {
          answer = { error: error.code ?? "io" };
        }
        this.core.complete(operation.operation, answer, this.now);
      }
    }
    return this.outputs.splice(0);
  }

  /** The outputs of a type, of all that follows. */
  async see(type) {
    return (await this.settle()).filter((output) => output.type === type);
  }

  /** Asks; gives the answer, and keeps the other outputs. Throws what was refused. */
  async ask(request) {
    const tag = ++this.#tag;
    this.core.request({ tag, ...request }, this.now, this.wall);
    const outputs = await this.settle();
    const done = outputs.find((output) => output.type === "done" && output.tag === tag);
    this.outputs = outputs.filter((output) => output !== done);
    if (done.error) throw Object.assign(new Error(done.error.message), done.error);
    return done;
  }

  async push(object, rest = {}) {
    const request = { kind: "push", store: 0, object: JSON.stringify(object), ...rest };
    return (await this.ask(request)).clientId;
  }

  async list(store = 0) {
    return (await this.ask({ kind: "list", store, limit: 100 })).records;
  }

  /** Connects; gives the hello. The server greets. */
  async connect(greeting = {}) {
    this.core.opened(this.now);
    const outputs = await this.settle();
    const hello = outputs.find(({ type }) => type === "send");
    this.outputs = outputs.filter((output) => output !== hello);
    const stores = { chatMessage: { head: null }, account: { head: null }, ...greeting };
    const data = { protocol: 1, database: DATABASE, time: this.wall, stores };
    this.hear({ type: "server_hello", data });
    this.outputs = await this.settle();
    return JSON.parse(hello.text);
  }

  hear(said) {
    this.core.message(typeof said === "string" ? said : JSON.stringify(said), this.now);
  }
}

export const DATABASE = "0190a0a0-0000-7000-8000-000000000001";

/** The nth event's id. */
export function eventId(n) {
  return `0190b000-${String(n).padStart(4, "0")}-7000-8000-000000000000`;
}
