/** The brief's server: it answers every message. `npm start`, then open the page. */
import { createDatabase } from "syncdb/server";
import { listen } from "./listen.js";
import { account, chatMessage } from "./stores.js";

const db = createDatabase({
  dbUrl: "sqlite://database.sqlite",
  stores: [chatMessage, account],
});

db.subscribe(chatMessage, async (event, ctx) => {
  if (event.action === "create") {
    await db.push(ctx, chatMessage, {
      role: "assistant",
      content: "Hello, how can I help you?",
    });
  }
});

await listen(db);
