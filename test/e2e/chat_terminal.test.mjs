// examples/chat's terminal through pipes: an application on the client library.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { connectSynced } from './support/client.mjs';
import { startCommand } from './support/command.mjs';
import { eventId, startScripted } from './support/scripted.mjs';
import { binaries, run, startProgram, temporaryFolder } from './support/server.mjs';

const ALL = ['chatMessage', 'account'];
const ANSWER =
  'Hello, how can I help you? I am no language model, only an example that answers as one would: ' +
  'each word goes to all of your devices as it is written, and the whole is kept once it is ' +
  'finished. Open another tab, or another browser, and watch.';
const program = path.join(binaries, 'chat-terminal');

const startChat = (t, folder, port = 0) =>
  startProgram(t, path.join(binaries, 'chat'), [`sqlite://${folder}/server.sqlite`, `${port}`]);

function startTerminal(t, server, folder = temporaryFolder(t), user = 'ada') {
  const terminal = startCommand(t, program, [user, server.url], { cwd: folder });
  terminal.line = (text) => terminal.takeLine((line) => line === text, text);
  return terminal;
}

test('a message waits, is sent, and is answered word by word', async (t) => {
  const folder = temporaryFolder(t);
  const server = await startChat(t, folder);
  const terminal = startTerminal(t, server, folder);
  await terminal.line('[live]');
  terminal.type('hi');
  await terminal.line('[waiting] ada: hi');
  await terminal.line('ada: hi');
  await terminal.line(`assistant: ${ANSWER}`);
  const growing = terminal.all.filter((line) => line.startsWith('[growing] '));
  assert.ok(growing.length >= 2);
  assert.ok(growing.every((line) => `[growing] assistant: ${ANSWER}`.startsWith(line)));
  terminal.type('/quit');
  assert.equal(await terminal.end(), 0);
  assert.ok(existsSync(path.join(folder, 'chat-ada.sqlite')));
});

test('what was said before is there at once, without a server too', async (t) => {
  const folder = temporaryFolder(t);
  const server = await startChat(t, folder);
  const first = startTerminal(t, server, folder);
  first.type('hi');
  await first.line(`assistant: ${ANSWER}`);
  assert.equal(await first.end('SIGTERM'), 0);
  await server.stop();
  const second = startTerminal(t, server, folder);
  await second.line('ada: hi');
  await second.line(`assistant: ${ANSWER}`);
  second.type('said offline');
  await second.line('[waiting] ada: said offline');
  await second.takeLine((line) => line.startsWith('[offline'));
  await startChat(t, folder, server.port);
  await second.line('ada: said offline');
  await second.line(`assistant: ${ANSWER}`);
  assert.equal(second.all.filter((line) => line === 'ada: said offline').length, 1);
});

test('two terminals of a user show the same, and another user’s does not', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const one = startTerminal(t, server);
  const two = startTerminal(t, server);
  const bob = startTerminal(t, server, undefined, 'bob');
  for (const terminal of [one, two, bob]) await terminal.line('[live]');
  one.type('/name Ada Lovelace');
  one.type('hi');
  await two.line('Ada Lovelace: hi');
  await two.line(`assistant: ${ANSWER}`);
  bob.type('hello');
  await bob.line(`assistant: ${ANSWER}`);
  assert.ok(!bob.all.some((line) => line.includes('Ada')));
  assert.ok(!one.all.some((line) => line.includes('hello')));
});

test('/older loads what was not loaded at first', async (t) => {
  const folder = temporaryFolder(t);
  const server = await startChat(t, folder);
  const client = await connectSynced(t, server, 'ada', ALL);
  const contents = Array.from({ length: 30 }, (_, n) => `message ${n}`);
  await client.pushedAll('chatMessage', contents.map((content) => ({ role: 'user', content })));
  const terminal = startTerminal(t, server);
  await terminal.line('[live]');
  await terminal.line('ada: message 29');
  assert.ok(!terminal.all.some((line) => line.endsWith('message 0')));
  terminal.type('/older');
  await terminal.line('ada: message 0');
});

// ---- a server that refuses ----

/** Answers each push as `answer(data)` says: true stands for its event, words for an error. */
function startRefusing(t, answer) {
  let events = 0;
  return startScripted(t, ALL, (data, send) => {
    const { store, clientId, object } = data;
    const why = answer(data);
    if (why === true) send('update', { store, id: eventId(events++), object, clientId });
    else send('error', { code: 'rejected', message: why, clientId, store });
  });
}

test('what was refused says why, and is sent again with the same client id', async (t) => {
  const pushes = [];
  const server = await startRefusing(t, (data) => {
    pushes.push(data.clientId);
    return pushes.length > 1 || 'not today';
  });
  const terminal = startTerminal(t, server);
  terminal.type('hi');
  await terminal.line('[failed] ada: hi (not today)');
  terminal.type('/retry');
  await terminal.line('ada: hi');
  assert.equal(pushes.length, 2);
  assert.equal(pushes[0], pushes[1]);
});

test('a server’s words give no orders to the terminal', async (t) => {
  const server = await startRefusing(t, () => 'not\u001b[2J\u009b\ntoday');
  const terminal = startTerminal(t, server);
  terminal.type('hi');
  await terminal.line('[failed] ada: hi (not\ufffd[2J\ufffd today)');
});

test('what was refused can be given up', async (t) => {
  const server = await startRefusing(t, () => 'not today');
  const terminal = startTerminal(t, server);
  terminal.type('/discard');
  await terminal.line('[no message failed]');
  terminal.type('hi');
  await terminal.line('[failed] ada: hi (not today)');
  terminal.type('/discard');
  await terminal.line('[a message was removed]');
});

// ---- pipes and usage ----

test('what is piped in is delivered before the end', async (t) => {
  const folder = temporaryFolder(t);
  const server = await startChat(t, folder);
  const local = path.join(folder, 'ada.sqlite');
  const { code } = await run(['ada', server.url, local], 'one\ntwo', program);
  assert.equal(code, 0);
  const reader = await connectSynced(t, server, 'ada', ALL);
  const said = reader.synced.events.map((m) => m.data.object);
  const own = said.filter((object) => object.role === 'user').map((object) => object.content);
  assert.deepEqual(own.sort(), ['one', 'two']);
});

test('--help is no name: it tells the usage', async (t) => {
  const terminal = startCommand(t, program, ['--help'], { cwd: temporaryFolder(t) });
  await terminal.takeLine((line) => line.startsWith('usage: chat-terminal NAME'));
  assert.equal(await terminal.end(), 0);
});

test('a name that is no good is told', async () => {
  const more = ['ada', 'ws://127.0.0.1:1', 'file', 'more'];
  for (const args of [[], [''], ['../ada'], ['-ada'], ['--version'], more]) {
    const { code, stderr } = await run(args, '', program);
    assert.equal(code, 2);
    assert.match(stderr, /usage/);
  }
  assert.equal((await run(['ada', 'http://127.0.0.1:1', '/tmp/unused'], '', program)).code, 1);
});
