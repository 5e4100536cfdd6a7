// The client against a server that knows only the brief's messages.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { BriefServer } from './support/brief_server.mjs';
import { startCommand } from './support/command.mjs';
import { chatStores, run, syncdb, temporaryFolder, writeStores } from './support/server.mjs';
import { until } from './support/wait.mjs';

const message = (content, role = 'user') => ({ role, content });

async function setUp(t) {
  const server = await new BriefServer().listen(t);
  const folder = temporaryFolder(t);
  const args = [server.url, '--stores', writeStores(folder, chatStores)];
  args.push('--user', 'ada', '--local', path.join(folder, 'ada.sqlite'));
  return { server, args };
}

/** What the device holds, by `list`, without a connection. */
async function held(args, store) {
  const { stdout } = await run(['list', ...args, store, '--offline', '--json', '--limit', '1000']);
  return stdout
    .split('\n')
    .filter((line) => line)
    .map((line) => JSON.parse(line));
}

test('what was missed, pushes, partials and removes work', async (t) => {
  const { server, args } = await setUp(t);
  for (const content of ['one', 'two', 'three'])
    server.push({ store: 'chatMessage', object: message(content) });
  server.push({ store: 'account', object: { name: 'Ada' } });
  const tail = startCommand(t, syncdb, ['tail', ...args, '--json']);
  await tail.take((l) => l.object?.content === 'one', 'the oldest missed one');
  await tail.take((l) => l.object?.name === 'Ada', 'the singular object');
  const id = server.partial('chatMessage', message('Hel', 'assistant'));
  await tail.take((l) => l.state === 'partial' && l.object.content === 'Hel', 'the partial');
  server.partial('chatMessage', message('Hello', 'assistant'), id);
  await tail.take((l) => l.state === 'partial' && l.object.content === 'Hello', 'the longer one');
  server.push({ store: 'chatMessage', object: message('live') });
  const live = await tail.take((l) => l.object?.content === 'live', 'a live one');
  server.remove(live.id);
  await tail.take((l) => l.change === 'remove' && l.id === live.id, 'its remove');
  assert.equal(await tail.end('SIGINT'), 0);

  const { code } = await run(['push', ...args, 'chat_message', JSON.stringify(message('hi'))]);
  assert.equal(code, 0, 'the echo with its client id is the acknowledgement');
  const contents = (await held(args, 'chat_message')).map((record) => record.object.content);
  assert.deepEqual(contents.sort(), ['hi', 'one', 'three', 'two']);
});

test('a catch-up that is cut is asked for again, and nothing is lost', async (t) => {
  const { server, args } = await setUp(t);
  for (let i = 0; i < 200; i++) server.push({ store: 'note', object: { text: `note ${i}` } });
  server.dropAfter = 50;
  const tail = startCommand(t, syncdb, ['tail', ...args, '--json']);
  await until(() => server.hellos.length > 1, 'another connection behind the cut');
  server.dropAfter = Infinity;
  await tail.take((l) => l.object?.text === 'note 0', 'the oldest one');
  assert.equal(await tail.end('SIGINT'), 0);
  assert.equal((await held(args, 'note')).length, 200);
});

test('a push that waits is delivered once when such a server is there', async (t) => {
  const { server, args } = await setUp(t);
  const offline = await run(['push', ...args, 'note', '{"text":"kept"}', '--offline']);
  assert.notEqual(offline.code, 1);
  const { code } = await run(['push', ...args, 'note', '{"text":"second"}']);
  assert.equal(code, 0);
  const texts = server.events.map((event) => event.data.object.text);
  assert.deepEqual(texts, ['kept', 'second']);
});

test('an object is replaced and removed by its device, and by another', async (t) => {
  const { server, args } = await setUp(t);
  const push = async (text, ...more) => {
    const object = JSON.stringify({ text });
    const { code, stdout } = await run(['push', ...args, ...more, 'note', object]);
    assert.equal(code, 0);
    return JSON.parse(stdout).id;
  };
  const id = await push('first');
  assert.equal(await push('second', '--id', id), id);
  const texts = async () => (await held(args, 'note')).map((record) => record.object.text);
  assert.deepEqual(await texts(), ['second']);
  server.push({ store: 'note', object: { text: 'third' }, id });
  const tail = startCommand(t, syncdb, ['tail', ...args, '--json']);
  await tail.take((l) => l.object?.text === 'third', 'what another put while it was away');
  server.push({ store: 'note', object: { text: 'fourth' }, id });
  await tail.take((l) => l.object?.text === 'fourth', 'what another puts now');
  assert.equal(await tail.end('SIGINT'), 0);
  assert.equal((await run(['remove', ...args, 'note', id])).code, 0);
  assert.deepEqual(await texts(), []);
  assert.equal(server.events.at(-1).type, 'remove');
});
