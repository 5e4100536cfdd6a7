/**
 * What only JavaScript can check of a client's change: zod's refinements and `validateUpdate`.
 * Candidates come in batches, after schema and declared rules said yes; verdicts go back the same
 * way. A promise is waited for; other users' changes are not held up by it.
 */
import { SyncError } from "../client/error.js";
import type { Action, Store } from "../store.js";
import { isPromise } from "./subscribers.js";

/** Why a change is not to be; the code and the path as the protocol has them. */
export interface Refused {
  readonly code: "invalid_object" | "rejected";
  readonly message: string;
  readonly path: string;
}

/** What a refusal says where what was thrown has no words. */
const NO_WORDS = "the change was refused by a rule";

/** The refusal that a thrown value stands for. zod's (js/src/zod.ts) are the schema's. */
export function refusalOf(thrown: unknown): Refused {
  try {
    return wordsOf(thrown);
  } catch { // its own getters throw
    return { code: "rejected", message: NO_WORDS, path: "" };
  }
}

function wordsOf(thrown: unknown): Refused {
  const { name, message, path } =
    typeof thrown === "object" && thrown !== null
      ? (thrown as { name?: unknown; message?: unknown; path?: unknown })
      : { name: "", message: thrown, path: "" };
  const words = typeof message === "string" ? message.replaceAll("\0", "") : "";
  return {
    code: name === "Refusal" ? "invalid_object" : "rejected",
    message: words || NO_WORDS,
    path: typeof path === "string" ? path.replaceAll("\0", "") : "",
  };
}

/** Asks the store's refinements. Throws, or rejects with, `invalid_object`. */
export function checkRefined(store: Store, object: object): void | Promise<void> {
  const refused = (thrown: unknown): never => {
    const { message, path } = refusalOf(thrown);
    throw new SyncError("invalid_object", message, path);
  };
  try {
    const going = store.refine?.(object);
    return going?.catch(refused);
  } catch (thrown) {
    return refused(thrown);
  }
}

/** Asks the store; `answer` is called once, at once or later: `null` is yes. Never throws. */
export function judge(
  store: Store,
  action: Action,
  object: Record<string, unknown> | undefined,
  answer: (refused: Refused | null) => void,
): void {
  try {
    const going = store.check?.(action, object);
    if (!isPromise(going)) {
      answer(null);
      return;
    }
    Promise.resolve(going).then(
      () => answer(null),
      (thrown: unknown) => answer(refusalOf(thrown)),
    );
  } catch (thrown) {
    answer(refusalOf(thrown));
  }
}
