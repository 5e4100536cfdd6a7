/** The chat's stores and rules, for server and page: the brief's, and an account beside it. */
import { createStore, type ValueOf } from "syncdb";
import { z } from "zod";

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

export type ChatMessage = ValueOf<typeof chatMessage>;

export const account = createStore({
  name: "account",
  type: "singular",
  schema: { name: z.string().min(1).max(100) },
});

export type Account = ValueOf<typeof account>;
