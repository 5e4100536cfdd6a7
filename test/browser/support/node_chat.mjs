// The chat's server (examples/chat/chat.c) once more, in Node: node_chat.mjs URL PORT. The page
// that it serves is the same, file by file, and so is what it answers.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { createStore } from '../../../js/dist/index.js';
import { createDatabase } from '../../../js/dist/server/index.js';
import { root } from './pages.mjs';

const chat = readFileSync(path.join(root, 'examples/chat/chat.c'), 'utf8');
const [, text] = /ANSWER\[\] =\s*([^;]*);/.exec(chat);
const ANSWER = [...text.matchAll(/"([^"]*)"/g)].map(([, piece]) => piece).join('');

const chatMessage = createStore({
  name: 'chat_message',
  type: 'event',
  schema: { role: z.string(), content: z.string() },
  validateUpdate(action, object) {
    if (action === 'create' && object.role !== 'user')
      throw new Error('Only user messages can be created!');
    if (action !== 'create' && action !== 'delete')
      throw new Error('Only create and delete actions can be performed.');
  },
});
const account = createStore({
  name: 'account',
  type: 'singular',
  schema: { name: z.string().min(1).max(100) },
});

async function* words() {
  for (const word of ANSWER.split(/(?<= )/)) {
    yield word;
    await pause(50);
  }
}

const [dbUrl, port] = process.argv.slice(2);
const db = createDatabase({ dbUrl, stores: [chatMessage, account] });
db.subscribe(chatMessage, async (event, ctx) => {
  if (event.action !== 'create') return;
  await db.stream(ctx, chatMessage, { role: 'assistant', content: '' }, 'content', words());
});
process.once('SIGTERM', () => db.close());
const pages = path.join(root, 'examples/chat/web/dist');
const bound = await db.listen({ port: Number(port), devAuth: true, pages });
console.log(`listening on ws://127.0.0.1:${bound.port}`);
