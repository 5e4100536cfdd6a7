// examples/chat: an application on the public headers, whose answers are written word by word.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect, connectSynced } from './support/client.mjs';
import { startCommand } from './support/command.mjs';
import { binaries, run, startProgram, temporaryFolder } from './support/server.mjs';

const ALL = ['chatMessage', 'account'];
const ANSWER =
  'Hello, how can I help you? I am no language model, only an example that answers as one would: ' +
  'each word goes to all of your devices as it is written, and the whole is kept once it is ' +
  'finished. Open another tab, or another browser, and watch.';

const startChat = (t, folder) =>
  startProgram(t, path.join(binaries, 'chat'), [`sqlite://${folder}/chat.sqlite`, '0']);

const say = (client, content = 'hi') => client.pushed('chatMessage', { role: 'user', content });
const isAnswer = (data) => data.object?.role === 'assistant';

test('an answer comes in partials that grow, and is then an object with their id', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const client = await connectSynced(t, server, 'ada', ALL);
  await say(client);
  const answer = await client.take('update', isAnswer);
  assert.equal(answer.object.content, ANSWER);
  const partials = client.takeAll().filter((m) => m.type === 'partial');
  assert.ok(partials.length >= 2, `${partials.length} partials`);
  let before = '';
  for (const { data } of partials) {
    assert.equal(data.store, 'chatMessage');
    assert.equal(data.id, answer.id);
    assert.equal(data.object.role, 'assistant');
    assert.equal(data.object.$createdAt, answer.object.$createdAt);
    assert.ok(data.object.content.startsWith(before) && ANSWER.startsWith(data.object.content));
    before = data.object.content;
  }
});

test('a client that accepts append is sent one whole partial and then what is added', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const options = { more: { accept: ['append'] } };
  const client = await connectSynced(t, server, 'ada', ALL, options);
  await say(client);
  await client.take('update', isAnswer);
  const partials = client.takeAll().filter((m) => m.type === 'partial');
  let content = partials.shift().data.object.content;
  for (const { data } of partials) {
    assert.deepEqual(Object.keys(data).sort(), ['append', 'id', 'store']);
    content += data.append.content;
  }
  assert.equal(content, ANSWER);
});

test('a device that connects in the middle gets the whole partial, then the rest', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const client = await connectSynced(t, server, 'ada', ALL);
  await say(client);
  const first = await client.take('partial', (d) => d.object.content.length > 0);
  const late = await connect(t, server, 'ada');
  await late.hello();
  const joined = await late.take('partial');
  assert.equal(joined.id, first.id);
  assert.ok(joined.object.content.startsWith(first.object.content));
  const answer = await late.take('update', isAnswer);
  assert.deepEqual(answer, await client.take('update', isAnswer));
});

test('partials go to the devices of their user only', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const other = await connectSynced(t, server, 'bob', ALL);
  const client = await connectSynced(t, server, 'ada', ALL);
  await say(client);
  await client.take('update', isAnswer);
  await other.pinged();
  assert.deepEqual(other.takeAll(), []);
});

test('every message of a user is answered, in order, and no answer is', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const client = await connectSynced(t, server, 'ada', ALL);
  for (const content of ['one', 'two']) client.push('chatMessage', { role: 'user', content });
  for (let i = 0; i < 2; i++) await client.take('update', isAnswer);
  const reader = await connectSynced(t, server, 'ada', ALL);
  const roles = reader.synced.events.map((m) => m.data.object.role);
  assert.deepEqual(roles.sort(), ['assistant', 'assistant', 'user', 'user']);
});

test('rules in C refuse with their own words', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const client = await connectSynced(t, server, 'ada', ALL);
  const clientId = client.push('chatMessage', { role: 'assistant', content: 'I am the server' });
  const error = await client.errorOf(clientId);
  assert.equal(error.code, 'rejected');
  assert.equal(error.message, 'Only user messages can be created!');
  const { id } = await say(client);
  const changed = client.push('chatMessage', { role: 'user', content: 'changed' }, { id });
  assert.equal(
    (await client.errorOf(changed)).message,
    'Only create and delete actions can be performed.',
  );
  assert.equal((await client.removed('chatMessage', id)).id, id);
});

test('an answer that was not finished when the server was killed was never there', async (t) => {
  const folder = temporaryFolder(t);
  const server = await startChat(t, folder);
  const client = await connectSynced(t, server, 'ada', ALL);
  const asked = await say(client);
  await client.take('partial');
  await server.kill();
  const again = await startChat(t, folder);
  const reader = await connectSynced(t, again, 'ada', ALL);
  assert.deepEqual(
    reader.synced.events.map((m) => m.data),
    [asked],
  );
});

test('ending in the middle of an answer is in order', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const client = await connectSynced(t, server, 'ada', ALL);
  await say(client);
  await client.take('partial');
  await server.stop('SIGINT');
  assert.equal((await client.closed).code, 1001);
});

test('the line of the welcome can be pasted again, and is stored again', async (t) => {
  const program = path.join(binaries, 'chat');
  const chat = startCommand(t, program, [`sqlite://${temporaryFolder(t)}/chat.sqlite`, '0']);
  const [, url] = /(ws:\S+)/.exec(await chat.takeLine((line) => line.startsWith('listening on')));
  const pasted = (await chat.takeLine((line) => line.includes('"type":"update"'))).trim();
  const client = await connectSynced(t, { url }, 'ada', ALL);
  const ids = new Set();
  for (let i = 0; i < 2; i++) {
    client.sendText(pasted);
    ids.add((await client.take('update', (data) => data.object.role === 'user')).id);
  }
  assert.equal(ids.size, 2);
  assert.doesNotMatch(chat.log, /listening/);
});

test("the page's types are those of the C file that the server is compiled from", async (t) => {
  const written = path.join(temporaryFolder(t), 'stores.ts');
  const page = fileURLToPath(new URL('../../examples/chat/web', import.meta.url));
  const { code, stderr } = await run([written], '', path.join(page, 'types'));
  assert.equal(code, 0, stderr);
  const kept = readFileSync(path.join(page, 'src/stores.ts'), 'utf8');
  assert.equal(kept, readFileSync(written, 'utf8'), 'run examples/chat/web/types');
});
