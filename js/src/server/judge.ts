/**
 * What only JavaScript can check of a client's change: zod's refinements and `validateUpdate`.
 * Candidates come in batches, after schema and declared rules said yes; verdicts go back the same
 * way. A promise is waited for; other users' changes are not held up by it.
 */
import type { Action, Store } from "../store.js";
import { isPromise } from "./subscribers.js";

/** `null`: yes; otherwise the refusal. */
export type Verdict = { readonly message: string; readonly path: string } | null;

/** What a refusal says where the rule threw nothing that has words. */
const NO_WORDS = "the change was refused by a rule";

/** The refusal that a thrown value stands for; its `path`, if it has one, is a JSON Pointer. */
export function refusalOf(thrown: unknown): NonNullable<Verdict> {
  if (typeof thrown === "string") return { message: thrown || NO_WORDS, path: "" };
  if (typeof thrown !== "object" || thrown === null) return { message: NO_WORDS, path: "" };
  const { message, path } = thrown as { message?: unknown; path?: unknown };
  return {
    message: typeof message === "string" && message ? message : NO_WORDS,
    path: typeof path === "string" ? path : "",
  };
}

/** Asks the store; `answer` is called once, at once or later. Never throws. */
export function judge(
  store: Store,
  action: Action,
  object: Record<string, unknown> | undefined,
  answer: (verdict: Verdict) => void,
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
