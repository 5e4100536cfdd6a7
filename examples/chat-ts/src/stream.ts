/** The same chat with a slow model: its words show as they come. `npm run stream`. */
import { setTimeout as pause } from "node:timers/promises";
import { createDatabase } from "syncdb/server";
import { listen } from "./listen.js";
import { account, chatMessage } from "./stores.js";

const db = createDatabase({
  dbUrl: "sqlite://database.sqlite",
  stores: [chatMessage, account],
});

/** What stands for a language model: a word now and then, and sometimes it fails. */
async function* think(question: string): AsyncGenerator<string> {
  const answer = `You said "${question}", which is ${question.length} characters long. I am slow, `
    + "but every device of yours sees each of my words as it comes.";
  for (const word of answer.split(/(?<= )/)) {
    await pause(60);
    yield word;
  }
  if (question.includes("fail")) throw new Error("the model has failed, as it was asked to");
}

db.subscribe(chatMessage, async (event, ctx) => {
  if (event.action !== "create") return;
  const empty = { role: "assistant", content: "" };
  await db.stream(ctx, chatMessage, empty, "content", think(event.object.content));
});

await listen(db);
