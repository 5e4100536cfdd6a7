// The brief's createStore, unchanged, and what is inferred from it.
import { z } from "zod";
import { createStore, type Store, type ValueOf } from "syncdb";

export const chatMessage = createStore({
  // The name of the store
  name: "chat_message",
  // event/singular
  type: "event",
  // The schema for objects that this store represents
  schema: {
    role: z.string(),
    content: z.string(),
  },
  // A function that will be run to check a store update is valid
  validateUpdate(action, object) {
    if (action === "create" && object.role !== "user") {
      throw new Error("Only user messages can be created!");
    }
    if (action !== "create" && action !== "delete") {
      throw new Error("Only create and delete actions can be performed.");
    }
  },
});

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const sure = <Holds extends true>(): Holds | undefined => undefined;

sure<Equal<ValueOf<typeof chatMessage>, { role: string; content: string }>>();
sure<Equal<typeof chatMessage, Store<{ role: string; content: string }, "event">>>();
