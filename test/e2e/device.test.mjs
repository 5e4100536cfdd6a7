// `tail`, `push`, `remove` and `list`: the command as a user's device, with a server and without.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { startCommand } from './support/command.mjs';
import { connectSynced } from './support/client.mjs';
import { smallDisk } from './support/disk.mjs';
import { eventId, startScripted } from './support/scripted.mjs';
import { binaries, chatStores, run, startProgram, startServer } from './support/server.mjs';
import { syncdb, temporaryFolder, writeStores } from './support/server.mjs';
import { seconds, token } from './support/tokens.mjs';
import { until } from './support/wait.mjs';

const ALL = ['chatMessage', 'account', 'note'];
const NOWHERE = 'ws://127.0.0.1:1'; // nothing listens there

/** A server that is not there yet: `await server.start()` gives the one that then is. */
async function absentServer(t) {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const listen = `127.0.0.1:${listener.address().port}`;
  await new Promise((resolve) => listener.close(resolve));
  return { url: `ws://${listen}`, start: (more) => startServer(t, { listen, ...more }) };
}

/** A device of `user` for the test: its commands share a local file. */
function device(t, server, user = 'ada', more = {}) {
  const folder = more.folder ?? temporaryFolder(t);
  const stores = more.stores ?? writeStores(folder, chatStores);
  const local = path.join(folder, `${user}.sqlite`);
  const shared = [server.url, '--stores', stores, '--user', user, '--local', local];
  shared.push(...(more.args ?? []));
  const start = (name, args) => startCommand(t, syncdb, [name, ...shared, ...args]);
  const finish = async (name, args, input) => {
    const result = await run([name, ...shared, ...args], input);
    const lines = result.stdout.split('\n').filter((line) => line.startsWith('{'));
    return { ...result, results: lines.map((line) => JSON.parse(line)) };
  };
  return {
    local,
    stores,
    push: (store, object, ...args) => finish('push', [store, JSON.stringify(object), ...args]),
    pushLines: (store, input, ...args) => finish('push', [store, '--lines', ...args], input),
    remove: (...args) => finish('remove', args),
    list: (...args) => finish('list', args),
    run: finish,
    tail: (...args) => start('tail', args),
  };
}

/** What the server holds of a user's notes. */
async function notes(t, server, user = 'ada') {
  const reader = await connectSynced(t, server, user, ALL);
  const events = reader.synced.events.filter((m) => m.data.store === 'note');
  return events.map((m) => m.data.object.text);
}

test('why it does not go on gives no orders to the terminal', async (t) => {
  const folder = temporaryFolder(t);
  const local = path.join(folder, 'a\u001b[2J\u009b\nbé.sqlite');
  writeFileSync(local, 'no local file of a device, and longer than a header of one'.repeat(9));
  const ada = device(t, { url: NOWHERE }, 'ada', { folder, args: ['--local', local] });
  for (const { stderr } of [await ada.list('note'), await ada.push('note', { text: 'one' })])
    assert.match(stderr, /^syncdb \w+: .*a\ufffd\[2J\ufffd bé\.sqlite/);
});

// ---- push ----

test('a push is delivered, and its ids are told', async (t) => {
  const server = await startServer(t);
  const other = await connectSynced(t, server, 'ada', ALL);
  const { code, results } = await device(t, server).push('note', { text: 'hi' });
  assert.equal(code, 0);
  const event = await other.take('update');
  assert.equal(event.object.text, 'hi');
  const { id, clientId } = event;
  assert.deepEqual(results, [{ state: 'synced', store: 'note', id, eventId: id, clientId }]);
});

test('an object may come from standard input', async (t) => {
  const server = await startServer(t);
  const { code } = await device(t, server).run('push', ['note'], '{\n "text": "piped" }\n');
  assert.equal(code, 0);
  assert.deepEqual(await notes(t, server), ['piped']);
});

test('what schema or rules refuse is not pushed, and the reason is told', async (t) => {
  const server = await startServer(t);
  const ada = device(t, server);
  const invalid = await ada.push('note', { texts: 'hi' });
  assert.equal(invalid.code, 1);
  assert.equal(invalid.results[0].state, 'failed');
  assert.equal(invalid.results[0].error.code, 'invalid_object');
  assert.equal(invalid.results[0].error.path, '/text');
  const rejected = await ada.push('chat_message', { role: 'assistant', content: 'hi' });
  assert.equal(rejected.code, 1);
  assert.equal(rejected.results[0].error.code, 'rejected');
  assert.equal(rejected.results[0].error.path, '/role');
  assert.equal((await ada.run('push', ['note'], 'nonsense')).results[0].error.code, 'bad_json');
  assert.deepEqual((await ada.list('--unsynced')).results, [{ unsynced: [] }]);
});

test('what only the server refuses is told, and not kept', async (t) => {
  const strict = structuredClone(chatStores);
  strict[2].schema.properties.text.maxLength = 3;
  const server = await startServer(t, { stores: strict });
  const ada = device(t, server);
  const { code, results } = await ada.push('note', { text: 'too long' });
  assert.equal(code, 1);
  assert.equal(results[0].state, 'failed');
  assert.equal(results[0].error.code, 'invalid_object');
  assert.equal(results[0].error.path, '/text');
  assert.deepEqual((await ada.list('--unsynced')).results, [{ unsynced: [] }]);
  assert.equal((await ada.list('note')).stdout, '');
});

test('a push with no server in reach is kept, and the next push delivers it first', async (t) => {
  const absent = await absentServer(t);
  const ada = device(t, absent);
  const kept = await ada.push('note', { text: 'first' }, '--wait', '200');
  assert.equal(kept.code, 3);
  assert.equal(kept.results[0].state, 'pending');
  assert.match(kept.stderr, /kept in .*ada\.sqlite/);
  assert.equal((await ada.push('note', { text: 'second' }, '--offline')).code, 3);
  const server = await absent.start();
  const tail = device(t, server).tail('--count', '3');
  assert.equal((await ada.push('note', { text: 'third' })).code, 0);
  assert.equal(await tail.end(), 0);
  const texts = tail.all.map((line) => JSON.parse(line).object.text);
  assert.deepEqual(texts, ['first', 'second', 'third']);
});

test('an object a line is pushed, and a result a line is told', async (t) => {
  const server = await startServer(t);
  const objects = Array.from({ length: 1200 }, (_, n) => JSON.stringify({ text: `note ${n}` }));
  objects[7] = '{"text":7}';
  const { code, results } = await device(t, server).pushLines('note', objects.join('\n'));
  assert.equal(code, 1);
  assert.equal(results.length, 1200);
  assert.equal(results.find((r) => r.line === 8).state, 'failed');
  const delivered = results.filter((r) => r.state === 'synced');
  assert.equal(new Set(delivered.map((r) => r.id)).size, 1199);
  assert.equal((await notes(t, server)).length, 1199);
});

test('lines are delivered as they come, not at the end of the input', async (t) => {
  const server = await startServer(t);
  const args = ['push', `${server.url}/`, 'note', '--lines', '--user', 'ada', '--memory'];
  const stores = writeStores(temporaryFolder(t), chatStores);
  const push = startCommand(t, syncdb, [...args, '--stores', stores]);
  for (const text of ['one', 'two']) {
    push.type(JSON.stringify({ text }));
    assert.equal((await push.take(() => true)).state, 'synced');
  }
  push.child.stdin.end();
  assert.equal(await push.end(), 0);
});

test('--id replaces an object, also one that waits itself', async (t) => {
  const absent = await absentServer(t);
  const ada = device(t, absent);
  const { clientId } = (await ada.push('note', { text: 'a' }, '--offline')).results[0];
  const changed = await ada.push('note', { text: 'b' }, '--offline', '--id', clientId);
  assert.equal(changed.code, 3);
  const server = await absent.start();
  const { id } = (await ada.list('note', '--json')).results[0];
  const { code, results } = await ada.push('note', { text: 'c' }, '--id', id);
  assert.equal(code, 0);
  assert.equal(results[0].id, id);
  assert.ok(results[0].eventId > id);
  assert.deepEqual(await notes(t, server), ['c']);
});

test('a push to a singular store takes the place of what is there', async (t) => {
  const server = await startServer(t);
  const ada = device(t, server);
  for (const name of ['Ada', 'Ada L.']) assert.equal((await ada.push('account', { name })).code, 0);
  const lines = ['{"name":"A"}', '{"name":"B"}', '{"name":"C"}'].join('\n');
  const { code, results } = await ada.pushLines('account', lines);
  assert.equal(code, 0);
  assert.deepEqual(results.map((r) => r.line).sort(), [1, 2, 3]);
  assert.equal((await ada.list('account', '--json')).results[0].object.name, 'C');
});

test('a change of a singular store that is not delivered is lost, and said to be', async (t) => {
  const absent = await absentServer(t);
  const ada = device(t, absent);
  assert.equal((await ada.push('note', { text: 'waits' }, '--offline')).code, 3);
  const { code, results, stderr } = await ada.push('account', { name: 'Ada' }, '--wait', '200');
  assert.equal(code, 1);
  assert.equal(results[0].state, 'failed');
  assert.equal(results[0].error.code, 'unavailable');
  assert.match(stderr, /1 not delivered, and lost: a change of a singular store is not kept/);
  assert.doesNotMatch(stderr, /kept in/);
  await absent.start();
  assert.equal((await ada.list('account', '--json')).stdout, '');
});

test('an echo in another store tells nothing of a push', async (t) => {
  const server = await startScripted(t, ALL, ({ clientId, object }, send) => {
    const [id, other] = [eventId(1), eventId(2)];
    send('update', { store: 'chatMessage', id: other, object, clientId });
    send('update', { store: 'note', id, object, clientId });
  });
  const { code, results } = await device(t, server).push('note', { text: 'hi' });
  assert.equal(code, 0);
  assert.equal(results.length, 1);
  assert.match(results[0].id, /-7001-/);
});

test('a disk that fills in the midst of many says that some may be kept', async (t) => {
  const disk = smallDisk(t);
  if (!disk) return t.skip('needs the right to mount a tmpfs');
  const ada = device(t, { url: NOWHERE }, 'ada', { folder: disk });
  const text = 'x'.repeat(100_000);
  const lines = Array.from({ length: 150 }, () => JSON.stringify({ text })).join('\n');
  const { code, results, stderr } = await ada.pushLines('note', lines, '--offline');
  assert.equal(code, 1);
  assert.equal(results.length, 150);
  const pending = results.filter((r) => r.state === 'pending').length;
  assert.ok(pending > 0 && pending < 150, `${pending} pending`);
  assert.match(stderr, new RegExp(`${pending} not delivered, but put into .*ada.sqlite`));
  assert.match(stderr, /may be stored twice/s);
  assert.match(stderr, new RegExp(`${150 - pending} not delivered, and there is no local file`));
});

/** A device whose push, made without a server, was then refused by one: what failed is kept. */
async function deviceWithFailed(t) {
  const absent = await absentServer(t);
  const ada = device(t, absent);
  const { clientId } = (await ada.push('note', { text: 'too long' }, '--offline')).results[0];
  const strict = structuredClone(chatStores);
  strict[2].schema.properties.text.maxLength = 3;
  const server = await absent.start({ stores: strict });
  await ada.push('account', { name: 'Ada' });
  return { absent, ada, server, clientId };
}

test('what a server refused of earlier runs is kept, and sent again with --retry', async (t) => {
  const { absent, ada, server, clientId } = await deviceWithFailed(t);
  const [failed] = (await ada.list('note', '--json')).results;
  assert.equal(failed.state, 'failed');
  assert.equal(failed.clientId, clientId);
  assert.equal(failed.error.path, '/text');
  assert.match((await ada.list('note')).stdout, /failed: .*text: too long/);
  assert.equal((await ada.run('push', ['--retry'])).code, 1);
  await server.stop();
  const lenient = await absent.start({ folder: server.folder });
  const { code, results } = await ada.run('push', ['--retry']);
  assert.equal(code, 0);
  assert.equal(results[0].clientId, clientId);
  assert.deepEqual(await notes(t, lenient), ['too long']);
});

test('what a server refused is given up by its client id', async (t) => {
  const { ada, clientId } = await deviceWithFailed(t);
  const { code, results } = await ada.remove('note', clientId);
  assert.equal(code, 0);
  assert.equal(results[0].state, 'discarded');
  assert.equal((await ada.list('note')).stdout, '');
});

test('a push that has no answer yet has not failed: it is kept', async (t) => {
  const server = await startServer(t);
  const ada = device(t, server);
  server.child.kill('SIGSTOP');
  const kept = await ada.push('note', { text: 'hi' }, '--wait', '300');
  server.child.kill('SIGCONT');
  assert.equal(kept.code, 3);
  assert.equal((await ada.list('note', '--json')).results[0].state, 'synced');
  assert.deepEqual(await notes(t, server), ['hi']);
});

// ---- remove ----

test('remove removes, and says where there is nothing to remove', async (t) => {
  const server = await startServer(t);
  const ada = device(t, server);
  const { id } = (await ada.push('note', { text: 'hi' })).results[0];
  const removed = await ada.remove('note', id);
  assert.equal(removed.code, 0, removed.stderr);
  assert.equal(removed.results[0].state, 'synced');
  assert.equal(removed.results[0].id, id);
  assert.deepEqual(await notes(t, server), []);
  const again = await ada.remove('note', id);
  assert.equal(again.code, 1);
  assert.equal(again.results[0].error.code, 'not_found');
});

test('an object that this device does not hold yet can be removed', async (t) => {
  const server = await startServer(t);
  const { id } = (await device(t, server).push('note', { text: 'hi' })).results[0];
  assert.equal((await device(t, server).remove('note', id)).code, 0);
  assert.deepEqual(await notes(t, server), []);
  // Gone is gone, whoever removed it.
  assert.equal((await device(t, server).remove('note', id)).code, 0);
});

test('a remove without a server is kept, hides the object, and is delivered', async (t) => {
  const server = await startServer(t);
  const ada = device(t, server);
  const { id } = (await ada.push('note', { text: 'hi' })).results[0];
  assert.equal((await ada.remove('note', id, '--offline')).code, 3);
  assert.equal((await ada.list('note', '--offline')).stdout, '');
  assert.deepEqual(await notes(t, server), ['hi']);
  assert.equal((await ada.push('note', { text: 'next' })).code, 0);
  assert.deepEqual(await notes(t, server), ['next']);
});

test('a push that waits is taken back by its client id', async (t) => {
  const absent = await absentServer(t);
  const ada = device(t, absent);
  const { clientId } = (await ada.push('note', { text: 'hi' }, '--offline')).results[0];
  assert.equal((await ada.remove('note', clientId, '--offline')).code, 3);
  assert.equal((await ada.list('note', '--offline')).stdout, '');
  const server = await absent.start();
  assert.equal((await ada.list('note')).stdout, '');
  assert.deepEqual((await ada.list('--unsynced')).results, [{ unsynced: [] }]);
  assert.deepEqual(await notes(t, server), []);
});

test('the object of a singular store is removed without an id', async (t) => {
  const server = await startServer(t);
  const ada = device(t, server);
  assert.equal((await ada.push('account', { name: 'Ada' })).code, 0);
  assert.equal((await ada.remove('account')).code, 0);
  const { code, stdout } = await ada.list('account');
  assert.equal(code, 0);
  assert.equal(stdout, '');
});

// ---- list ----

test('list shows the newest first, in pages', async (t) => {
  const server = await startServer(t);
  const ada = device(t, server);
  const client = await connectSynced(t, server, 'ada', ALL);
  await client.pushedAll('note', [1, 2, 3, 4, 5].map((n) => ({ text: `note ${n}` })));
  const texts = ({ results }) => results.map((r) => r.object.text);
  const first = await ada.list('note', '--json', '--limit', '2');
  assert.deepEqual(texts(first), ['note 5', 'note 4']);
  const next = ['--json', '--limit', '2', '--before', first.results[1].id];
  assert.deepEqual(texts(await ada.list('note', ...next)), ['note 3', 'note 2']);
  const people = await ada.list('note', '--limit', '1');
  assert.match(people.stdout, /^[0-9a-f-]{36} {2}\S+ \S+ {2}text: note 5\n$/);
});

test('list shows what is held where the server is out of reach, and says so', async (t) => {
  const server = await startServer(t);
  const ada = device(t, server);
  await ada.push('note', { text: 'held' });
  await server.stop();
  await ada.push('note', { text: 'waits' }, '--offline');
  const { code, stdout, stderr } = await ada.list('note');
  assert.equal(code, 3);
  assert.match(stderr, /\S/);
  assert.match(stdout, /pending {2}text: waits\n.*text: held\n$/);
  const offline = await ada.list('note', '--offline', '--json');
  assert.equal(offline.code, 0);
  assert.deepEqual(
    offline.results.map((r) => r.state),
    ['pending', 'synced'],
  );
});

test('list --unsynced tells what waits', async (t) => {
  const absent = await absentServer(t);
  const ada = device(t, absent);
  const { clientId } = (await ada.push('note', { text: 'waits' }, '--offline')).results[0];
  const { unsynced } = (await ada.list('--unsynced', '--offline')).results[0];
  assert.equal(unsynced.length, 1);
  assert.equal(unsynced[0].clientId, clientId);
  assert.equal(unsynced[0].object.text, 'waits');
});

// ---- tail ----

test('tail shows what there is, oldest first, then what comes', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const texts = Array.from({ length: 700 }, (_, n) => `note ${n}`);
  await client.pushedAll('note', texts.map((text) => ({ text })));
  const tail = device(t, server).tail();
  await tail.said(/live/);
  assert.deepEqual(
    tail.all.map((line) => JSON.parse(line).object.text),
    texts,
  );
  const { id } = await client.pushed('note', { text: 'live' });
  assert.equal((await tail.take((c) => c.id === id)).change, 'put');
  await client.removed('note', id);
  const removed = await tail.take((c) => c.change === 'remove');
  assert.equal(removed.id, id);
  assert.equal(await tail.end('SIGINT'), 0);
});

test('tail --until-synced, --store and --window show a part, and end', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  await client.pushedAll('note', [1, 2, 3].map((n) => ({ text: `note ${n}` })));
  await client.pushed('account', { name: 'Ada' });
  const tail = device(t, server).tail('--until-synced', '--store', 'note', '--window', '2');
  assert.equal(await tail.end(), 0);
  const shown = tail.all.map((line) => JSON.parse(line).object.text);
  assert.deepEqual(shown, ['note 2', 'note 3']);
});

test('an answer grows in partials, and is then an object', async (t) => {
  const chat = path.join(binaries, 'chat');
  const server = await startProgram(t, chat, [`sqlite://${temporaryFolder(t)}/c.sqlite`, '0']);
  const tail = device(t, server).tail('--count', '2');
  await tail.said(/live/);
  const bob = device(t, server, 'bob').tail();
  await bob.said(/live/);
  const asked = await device(t, server).push('chat_message', { role: 'user', content: 'hi' });
  assert.equal(asked.code, 0);
  assert.equal(await tail.end(), 0);
  const changes = tail.all.map((line) => JSON.parse(line));
  const answers = changes.filter((c) => c.object.role === 'assistant');
  const partials = answers.filter((c) => c.state === 'partial');
  assert.ok(partials.length >= 2);
  const answer = answers.at(-1);
  assert.equal(answer.state, 'synced');
  let before = '';
  for (const { id, object } of partials) {
    assert.equal(id, answer.id);
    assert.ok(object.content.startsWith(before));
    before = object.content;
  }
  assert.match(answer.object.content, /^Hello, how can I help you\?/);
  assert.deepEqual(bob.all, []);
});

test('what was pushed without a server is delivered by the next tail, exactly once', async (t) => {
  const absent = await absentServer(t);
  const ada = device(t, absent);
  const { clientId } = (await ada.push('note', { text: 'kept' }, '--offline')).results[0];
  const server = await absent.start();
  const tail = ada.tail();
  assert.equal((await tail.take((c) => c.state === 'pending')).clientId, clientId);
  const synced = await tail.take((c) => c.state === 'synced');
  assert.equal(synced.clientId, clientId);
  assert.equal(await tail.end('SIGINT'), 0);
  const again = ada.tail('--until-synced');
  assert.equal(await again.end(), 0);
  assert.deepEqual(again.all.length, 1);
  assert.deepEqual(await notes(t, server), ['kept']);
});

test('a tail that was killed goes on where it was: each object once', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const ada = device(t, server);
  const tail = ada.tail();
  await tail.said(/live/);
  for (let n = 0; n < 50; n++) await client.pushed('note', { text: `note ${n}` });
  await tail.take((c) => c.object.text === 'note 20');
  assert.equal(await tail.end('SIGKILL'), 'SIGKILL');
  for (let n = 50; n < 60; n++) await client.pushed('note', { text: `note ${n}` });
  const again = ada.tail('--until-synced');
  assert.equal(await again.end(), 0);
  const texts = again.all.map((line) => JSON.parse(line).object.text);
  assert.deepEqual(
    texts,
    Array.from({ length: 60 }, (_, n) => `note ${n}`),
  );
});

test('a tail goes on when its server comes back', async (t) => {
  const server = await startServer(t);
  const tail = device(t, server).tail();
  await tail.said(/live/);
  await server.kill();
  await tail.said(/offline/);
  tail.log = '';
  const listen = `127.0.0.1:${server.port}`;
  const again = await startServer(t, { folder: server.folder, listen });
  await tail.said(/live/);
  const client = await connectSynced(t, again, 'ada', ALL);
  await client.pushed('note', { text: 'after' });
  await tail.take((c) => c.object?.text === 'after');
  assert.equal(await tail.end('SIGTERM'), 0);
});

test('a tail ends when nobody reads what it prints', async (t) => {
  const server = await startServer(t);
  const tail = device(t, server).tail();
  await tail.said(/live/);
  tail.child.stdout.destroy();
  assert.equal(await tail.end(), 0);
});

test('a tail whose reader has seen enough ends without a word', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  await client.pushedAll('note', Array(1000).fill({ text: 'x'.repeat(100) }));
  const stores = writeStores(temporaryFolder(t), chatStores);
  const command = `'${syncdb}' tail '${server.url}' --stores '${stores}' --user ada | head -1`;
  const both = startCommand(t, 'bash', ['-c', `${command}; exit "\${PIPESTATUS[0]}"`]);
  assert.equal(await both.end(), 0);
  assert.equal(both.all.length, 1);
  assert.doesNotMatch(both.log, /pipe/i);
});

test('tail --offline shows what is held and ends', async (t) => {
  const absent = await absentServer(t);
  const ada = device(t, absent);
  await ada.push('note', { text: 'held' }, '--offline');
  const tail = ada.tail('--offline');
  assert.equal(await tail.end(), 0);
  assert.equal(JSON.parse(tail.all[0]).state, 'pending');
});

// ---- terminals ----

const NASTY = 'a\u001b[31mred\u0007\u009b2J\u202eback\nnew\u007f😀' + 'x'.repeat(300);

/** The command on a terminal of 80 columns: everything that was sent to it, once it has ended. */
async function onTerminal(t, args) {
  const quoted = [syncdb, ...args].map((word) => `'${word}'`).join(' ');
  const options = { env: { ...process.env, TERM: 'xterm' } };
  const command = `stty cols 80 rows 24; ${quoted}`;
  const shown = startCommand(t, 'script', ['-qec', command, '/dev/null'], options);
  let text = '';
  shown.child.stdout.on('data', (data) => (text += data));
  assert.equal(await shown.end(), 0);
  return text;
}

test('no text of an object is an order to the terminal', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  await client.pushed('note', { text: NASTY });
  const stores = writeStores(temporaryFolder(t), chatStores);
  const shared = [server.url, '--stores', stores, '--user', 'ada'];
  for (const args of [
    ['tail', ...shared, '--until-synced'],
    ['tail', ...shared, '--until-synced', '--json'],
    ['list', ...shared, 'note', '--memory'],
    ['list', ...shared, 'note', '--memory', '--json'],
  ]) {
    const text = await onTerminal(t, args);
    assert.match(text, /red/);
    const orders = text.match(/\u001b\[[0-9;]*[A-Za-z]/g) ?? [];
    for (const order of orders) assert.match(order, /^.\[([0-9]+A|J|0m|2m|36m)$/);
    const harmless = text.replaceAll(/\u001b\[[0-9;]*[A-Za-z]/g, '');
    assert.doesNotMatch(harmless, /[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f]/);
    if (!args.includes('--json')) {
      assert.doesNotMatch(harmless, /\u202e/);
      const lines = harmless.split('\r\n').filter((line) => line.includes('red'));
      assert.ok(lines.every((line) => [...line].length < 80));
    }
  }
});

test('on a terminal what grows is written over in its place', async (t) => {
  const chat = path.join(binaries, 'chat');
  const server = await startProgram(t, chat, [`sqlite://${temporaryFolder(t)}/c.sqlite`, '0']);
  const ada = device(t, server);
  const shown = onTerminal(t, [
    ...['tail', server.url, '--stores', ada.stores, '--user', 'ada', '--count', '2'],
  ]);
  await ada.push('chat_message', { role: 'user', content: 'hi' });
  const text = await shown;
  assert.match(text, /partial {2}role: assistant {2}content: Hello, /);
  const last = text.split('\u001b[J').at(-1).replaceAll(/\u001b\[\d+m/g, '');
  assert.match(last, /^\d\d-\d\d \S+ {2}chatMessage {2}role: assistant {2}content: Hello, how/);
});

// ---- what waits in the file that push uses by default ----

/** Without --local: `keep(args)` runs the command, and `start(args)` starts it. */
function defaultDevice(t, server) {
  const state = temporaryFolder(t);
  const shared = [server.url, '--stores', writeStores(state, chatStores), '--user', 'ada'];
  const env = { ...process.env, XDG_STATE_HOME: state };
  const start = (name, ...args) => startCommand(t, syncdb, [name, ...shared, ...args], { env });
  const keep = async (text) => {
    const push = start('push', '--offline', 'note', JSON.stringify({ text }));
    assert.equal(await push.end(), 3, push.log);
  };
  return { state, start, keep };
}

test('the next tail delivers what was pushed without a server', async (t) => {
  const absent = await absentServer(t);
  const ada = defaultDevice(t, absent);
  await ada.keep('one');
  await ada.keep('two');
  const tail = ada.start('tail', '--count', '2');
  await tail.said(/offline/);
  await ada.keep('three'); // nobody holds the file meanwhile
  const server = await absent.start();
  assert.equal(await tail.end(), 0, tail.log);
  assert.match(tail.log, /of 3 that waited in .*, 3 delivered/);
  assert.deepEqual((await notes(t, server)).sort(), ['one', 'three', 'two']);
});

test('a tail until it is in step delivers what waits before it ends', async (t) => {
  const absent = await absentServer(t);
  const ada = defaultDevice(t, absent);
  await ada.keep('waits');
  const server = await absent.start();
  const tail = ada.start('tail', '--until-synced');
  assert.equal(await tail.end(), 0, tail.log);
  assert.deepEqual(await notes(t, server), ['waits']);
});

test('a tail without a file makes none, and with --memory delivers none', async (t) => {
  const absent = await absentServer(t);
  const ada = defaultDevice(t, absent);
  const server = await absent.start();
  assert.equal(await ada.start('tail', '--until-synced').end(), 0);
  assert.deepEqual(
    readdirSync(ada.state).filter((name) => name === 'syncdb'),
    [],
  );
  await ada.keep('waits');
  assert.equal(await ada.start('tail', '--until-synced', '--memory').end(), 0);
  assert.deepEqual(await notes(t, server), []);
});

test('a tail that is live delivers what is pushed beside it, once the file is free', async (t) => {
  const server = await startServer(t);
  const ada = defaultDevice(t, server);
  const holder = ada.start('push', '--lines', '--offline', 'note');
  holder.type('{"text":"holds the file"}');
  const folder = path.join(ada.state, 'syncdb');
  await until(
    () => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.sqlite')),
    'local file',
  );
  const tail = ada.start('tail', '--count', '2');
  await tail.said(/live/);
  holder.child.stdin.end();
  assert.equal(await holder.end(), 3, holder.log);
  await tail.take(({ object }) => object?.text === 'holds the file');
  await ada.keep('while it is live');
  assert.equal(await tail.end(), 0, tail.log);
  assert.deepEqual((await notes(t, server)).sort(), ['holds the file', 'while it is live']);
});

test('a tail whose server goes away leaves the file to others', async (t) => {
  const silent = await startScripted(t, ['note'], () => {});
  const ada = defaultDevice(t, silent);
  await ada.keep('one');
  const tail = ada.start('tail');
  await tail.said(/live/);
  await silent.stop();
  await tail.said(/offline/);
  await ada.keep('two');
});

test('pushes at the same time wait for one another’s local file', async (t) => {
  const server = await startServer(t);
  const ada = defaultDevice(t, server);
  const pushes = ['a', 'b', 'c', 'd'].map((text) =>
    ada.start('push', 'note', JSON.stringify({ text })),
  );
  for (const push of pushes) assert.equal(await push.end(), 0, push.log);
  assert.deepEqual((await notes(t, server)).sort(), ['a', 'b', 'c', 'd']);
});

// ---- whose device it is ----

test('the local file is the user’s own, in a folder that only they may enter', async (t) => {
  const server = await startServer(t);
  const state = temporaryFolder(t);
  const stores = writeStores(state, chatStores);
  const env = { ...process.env, XDG_STATE_HOME: state };
  for (const user of ['ada', '../../bob é/?&#']) {
    const args = ['push', server.url, 'note', `{"text":"of ${user}"}`, '--stores', stores];
    const push = startCommand(t, syncdb, [...args, '--user', user], { env });
    assert.equal(await push.end(), 0, push.log);
    assert.equal((await push.take(() => true)).state, 'synced');
    assert.deepEqual(await notes(t, server, user), [`of ${user}`]);
  }
  const folder = path.join(state, 'syncdb');
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  const files = readdirSync(folder).filter((name) => name.endsWith('.sqlite'));
  assert.deepEqual(files.sort(), [
    `..%2F..%2Fbob%20%C3%A9%2F%3F%26%23@127.0.0.1:${server.port}.sqlite`,
    `ada@127.0.0.1:${server.port}.sqlite`,
  ]);
});

test('one user’s local file is not mixed with another’s', async (t) => {
  const server = await startServer(t);
  const ada = device(t, server);
  await ada.push('note', { text: 'of ada' });
  await ada.push('note', { text: 'waits' }, '--offline');
  const shared = [server.url, '--stores', ada.stores, '--user', 'bob', '--local', ada.local];
  const { code, stderr } = await run(['push', ...shared, 'note', '{"text":"of bob"}']);
  assert.equal(code, 1);
  assert.match(stderr, /--local/);
  assert.deepEqual(await notes(t, server, 'bob'), []);
  const both = await run(['list', `${server.url}/?user=ada`, ...shared.slice(1), 'note']);
  assert.equal(both.code, 2);
});

test('a local file that is in use is said to be', async (t) => {
  const server = await startServer(t);
  const ada = device(t, server);
  const tail = ada.tail();
  await tail.said(/live/);
  const { code, stderr } = await ada.push('note', { text: 'hi' });
  assert.equal(code, 1);
  assert.match(stderr, /Another syncdb works with/);
});

test('a local file that cannot be used is no reason not to deliver', async (t) => {
  const server = await startServer(t);
  const stores = writeStores(temporaryFolder(t), chatStores);
  const local = ['--local', '/proc/no/such/folder/x.sqlite'];
  const shared = ['--stores', stores, '--user', 'ada', ...local, 'note', '{"text":"hi"}'];
  const delivered = await run(['push', server.url, ...shared]);
  assert.equal(delivered.code, 0, delivered.stderr);
  assert.match(delivered.stderr, /cannot be used/);
  const lost = await run(['push', NOWHERE, ...shared, '--wait', '200']);
  assert.equal(lost.code, 1);
  assert.match(lost.stderr, /no local file/);
});

test('a token is shown, and one that is refused is said to be', async (t) => {
  const folder = temporaryFolder(t);
  const secret = path.join(folder, 'secret');
  const key = 'a secret that has at least thirty-two bytes';
  writeFileSync(secret, key);
  const server = await startServer(t, { identity: ['--jwt-secret-file', secret] });
  const file = path.join(folder, 'token');
  writeFileSync(file, `${token('HS256', key, { sub: 'ada', exp: seconds() + 600 })}\n`);
  const ada = device(t, server, 'ada', { args: ['--token-file', file] });
  assert.equal((await ada.push('note', { text: 'hi' })).code, 0);
  const wrong = token('HS256', 'another secret of at least 32 bytes..', { sub: 'ada' });
  const other = device(t, server, 'ada', { args: ['--token', wrong] });
  const tail = other.tail();
  assert.equal(await tail.end(), 1);
  assert.match(tail.log, /unauthorized/);
  assert.equal((await other.push('note', { text: 'kept' })).code, 3);
  assert.equal((await other.list('note')).code, 1);
});

test('a token that ends is followed by the one that its file holds by then', async (t) => {
  const folder = temporaryFolder(t);
  const [secret, file] = [path.join(folder, 'secret'), path.join(folder, 'token')];
  const key = 'a secret that has at least thirty-two bytes';
  writeFileSync(secret, key);
  const renew = (exp) => writeFileSync(file, token('HS256', key, { sub: 'ada', exp }));
  const server = await startServer(t, { identity: ['--jwt-secret-file', secret] });
  const end = seconds() + 4;
  renew(end);
  const args = ['--token-file', file];
  const tail = device(t, server, 'ada', { args }).tail();
  await tail.said(/live/);
  renew(end + 600);
  await until(() => seconds() > end, 'the end of the token');
  const other = device(t, server, 'ada', { args });
  assert.equal((await other.push('note', { text: 'still here' })).code, 0);
  await tail.take((change) => change.object?.text === 'still here');
});

test('a token that can be none is refused at once', async (t) => {
  const folder = temporaryFolder(t);
  const stores = writeStores(folder, chatStores);
  const shared = ['--stores', stores, '--user', 'ada', '--memory', 'note', '{"text":"hi"}'];
  const file = path.join(folder, 'token');
  for (const bad of ['', 'two words', 'two\nlines', 'tab\t', 'é', 'x'.repeat(16 * 1024 + 1)]) {
    const { code, stderr } = await run(['push', NOWHERE, ...shared, '--token', bad]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /--token holds no token/);
    if (bad.includes('\n')) continue; // of a file, the first line is taken
    writeFileSync(file, `${bad}\n`);
    const other = await run(['push', NOWHERE, ...shared, '--token-file', file]);
    assert.equal(other.code, 2, other.stderr);
    assert.match(other.stderr, /holds no token/);
  }
  const longest = 'x'.repeat(16 * 1024);
  writeFileSync(file, `${longest}\n`);
  for (const good of [['--token', longest], ['--token-file', file]])
    assert.equal((await run(['push', NOWHERE, ...shared, ...good, '--wait', '100'])).code, 1);
});

// ---- usage ----

test('bad usage exits 2 and says what is wrong', async (t) => {
  const stores = writeStores(temporaryFolder(t), chatStores);
  const shared = ['--stores', stores, '--user', 'ada', '--memory'];
  const wrong = [
    ['tail'],
    ['tail', NOWHERE],
    ['tail', 'http://127.0.0.1:1', '--stores', stores],
    ['tail', NOWHERE, '--stores', stores, '--count', '0'],
    ['tail', NOWHERE, '--stores', stores, '--store', 'none'],
    ['tail', NOWHERE, '--stores', stores, 'more'],
    ['tail', NOWHERE, '--stores', '/nothing/here'],
    ['push', NOWHERE, ...shared],
    ['push', NOWHERE, ...shared, 'none', '{}'],
    ['push', NOWHERE, ...shared, 'note', '{}', '{}'],
    ['push', NOWHERE, ...shared, 'note', '{}', '--lines'],
    ['push', NOWHERE, ...shared, 'note', '{}', '--id', 'x'],
    ['push', NOWHERE, ...shared, 'note', '{}', '--wait', 'x'],
    ['push', NOWHERE, ...shared, 'note', '{}', '--token'],
    ['push', NOWHERE, ...shared, 'note', '{}', '--token', 'a', '--token-file', 'b'],
    ['push', NOWHERE, '--stores', stores, 'note', '{}'],
    ['push', NOWHERE, ...shared, 'account', '{"name":"Ada"}', '--offline'],
    ['push', NOWHERE, ...shared, 'account', '{"name":"Ada"}', '--wait', '0'],
    ['remove', NOWHERE, ...shared, 'account', '--offline'],
    ['remove', NOWHERE, ...shared],
    ['remove', NOWHERE, ...shared, 'note'],
    ['remove', NOWHERE, ...shared, 'note', 'x'],
    ['list', NOWHERE, ...shared],
    ['list', NOWHERE, ...shared, 'note', '--limit', '0'],
    ['list', NOWHERE, ...shared, 'note', '--frobnicate'],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await run(args);
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
    assert.equal(stdout, '');
    assert.ok(stderr.length > 0);
  }
});
