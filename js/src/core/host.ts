/**
 * What the module imports (bindings/wasm/host.h). Nothing here throws into it: an exception would
 * leave its memory half way.
 */
import type { Action, Store } from "../store.js";

const ACTIONS: readonly Action[] = ["create", "update", "delete"];
const TEXT_MAX = 255; // of a refusal's message and path, in bytes: sdb_error

export const encoder = new TextEncoder();
/* A mark of byte order at the beginning is a character like any other. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function textAt(memory: WebAssembly.Memory, at: number, size: number): string {
  return decoder.decode(new Uint8Array(memory.buffer, at >>> 0, size));
}

/**
 * The message and the path of what a rule threw, which may be anything, and whether it was thrown
 * by what a schema cannot say (`refine`), and not by a rule.
 */
function wordsOf(thrown: unknown): [message: string, path: string, ofSchema: boolean] {
  try {
    const { name, message, path } = thrown as Record<string, unknown>;
    const words = typeof message === "string" ? message : String(thrown);
    return [words, typeof path === "string" ? path : "", name === "Refusal"];
  } catch {
    return ["", "", false];
  }
}

/** The imports of one instance, and the call that gives them its memory once there is one. */
export function hostOf(stores: readonly Store[]): {
  imports: WebAssembly.ModuleImports;
  bind(memory: WebAssembly.Memory): void;
} {
  const patterns = new Map<number, RegExp>();
  let memory: WebAssembly.Memory;
  let last = 0;
  const bytesAt = (at: number, size: number) => new Uint8Array(memory.buffer, at >>> 0, size);

  const imports = {
    random(at: number, size: number): void {
      crypto.getRandomValues(bytesAt(at, size));
    },
    double(negative: number, at: number, count: number, point: number): number {
      const digits = textAt(memory, at, count + 1).replace(".", "").slice(0, count);
      return +`${negative ? "-" : ""}.${digits}e${point}`;
    },
    pattern_compile(at: number, size: number): number {
      try {
        patterns.set(last + 1, new RegExp(textAt(memory, at, size), "u"));
        return ++last;
      } catch {
        return 0;
      }
    },
    /* A text that the engine gives up on counts as refused. */
    pattern_match(pattern: number, at: number, size: number): number {
      try {
        return +patterns.get(pattern)!.test(textAt(memory, at, size));
      } catch {
        return -1;
      }
    },
    pattern_release(pattern: number): void {
      patterns.delete(pattern);
    },
    validate(
      store: number, action: number, at: number, size: number, message: number, path: number,
    ): number {
      try {
        const object: unknown = size ? JSON.parse(textAt(memory, at, size)) : undefined;
        const answer = stores[store]?.check?.(ACTIONS[action - 1]!, object);
        // What is told later cannot refuse it here any more: the server asks again.
        Promise.resolve(answer).catch(() => {});
        return 1;
      } catch (thrown) {
        const [words, place, ofSchema] = wordsOf(thrown);
        encoder.encodeInto(words, bytesAt(message, TEXT_MAX));
        encoder.encodeInto(place, bytesAt(path, TEXT_MAX));
        return ofSchema ? 2 : 0;
      }
    },
  };
  return { imports, bind: (given) => void (memory = given) };
}
