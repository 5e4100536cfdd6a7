// Where the protocol leaves a choice: what docs/protocol.md section 6 says that this server does.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { connect, connectSynced } from './support/client.mjs';
import { startServer } from './support/server.mjs';

const ALL = ['chatMessage', 'account', 'note'];

const ids = (messages) => messages.filter((m) => m.type === 'update').map((m) => m.data.id);

test('a store that the server does not know is passed over, with an error', async (t) => {
  const server = await startServer(t);
  const client = await connect(t, server, 'ada');
  const { events } = await client.sync(ALL, { nothing: null, note: null });
  assert.deepEqual(
    events.map((m) => [m.type, m.data.code]),
    [['error', 'unknown_store']],
  );
});

test('a window of 0 sends nothing, and says whether there is something', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  await client.pushed('note', { text: 'x' });
  const reader = await connect(t, server, 'ada');
  const window = { note: 0, chatMessage: 0 };
  const { events, synced } = await reader.sync(ALL, {}, { window });
  assert.deepEqual(events, []);
  assert.equal(synced.note.more, true);
  assert.equal(synced.chatMessage.more, false);
});

test('ranges that overlap are joined, and what is above the head is cut off', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const objects = Array.from({ length: 6 }, (_, i) => ({ text: `${i}` }));
  const notes = (await client.pushedAll('note', objects)).map((event) => event.id);
  const reader = await connect(t, server, 'ada');
  const missing = [
    { after: notes[2], before: notes[5] },
    { after: null, before: notes[3] },
  ];
  await reader.hello({ note: notes[4] }, { missing: { note: missing } });
  const joined = await reader.take('synced', (d) => d.store === 'note' && d.before !== null);
  assert.deepEqual(joined, { store: 'note', after: null, before: notes[4], more: false });
  assert.deepEqual(ids(reader.takeAll()), [notes[5], notes[3], notes[2], notes[1], notes[0]]);
});

test('messages behind the hello need not wait for the server_hello', async (t) => {
  const server = await startServer(t);
  const client = await connect(t, server, 'ada');
  client.send('client_hello', { syncStatus: {} });
  const clientId = client.push('note', { text: 'at once' });
  await client.take('server_hello');
  await client.take('update', (d) => d.clientId === clientId);
});

test('a push without a clientId is stored, each time it is sent', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  for (let i = 0; i < 2; i++) {
    client.send('update', { store: 'note', object: { text: 'anonymous' } });
    assert.equal((await client.take('update')).clientId, undefined);
  }
  const reader = await connectSynced(t, server, 'ada', ALL);
  assert.equal(ids(reader.synced.events).length, 2);
});

test('a refused push is not remembered', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const clientId = client.push('note', { text: 1 });
  assert.equal((await client.errorOf(clientId)).code, 'invalid_object');
  const event = await client.pushed('note', { text: 'mended' }, { clientId });
  assert.equal(event.object.text, 'mended');
});

test('in a singular store an update needs no id, a remove the current one', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const first = await client.pushed('account', { name: 'Ada' });
  const second = await client.pushed('account', { name: 'Countess' }, { id: first.id });
  assert.notEqual(second.id, first.id);
  const clientId = randomUUID();
  client.send('remove', { store: 'account', id: first.id, clientId });
  assert.equal((await client.errorOf(clientId)).code, 'not_found');
  await client.removed('account', second.id);
  const reader = await connectSynced(t, server, 'ada', ALL);
  assert.deepEqual(ids(reader.synced.events), []);
  const third = await client.pushed('account', { name: 'again' });
  assert.ok(third.id > second.id);
});

test('fetch without an upper end goes up to the head, at most 1,000 at a time', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const objects = Array.from({ length: 1005 }, (_, i) => ({ text: `${i}` }));
  const notes = (await client.pushedAll('note', objects)).map((event) => event.id);
  client.send('fetch', { store: 'note', after: null, before: null, limit: 5000 });
  const synced = await client.take('synced');
  assert.equal(synced.more, true);
  assert.deepEqual(ids(client.takeAll()), notes.slice(5).reverse());
});

test('a fetch whose range is reversed, or of another database, is bad_message', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const [one, two] = await client.pushedAll('note', [{ text: '1' }, { text: '2' }]);
  const wrong = [
    { after: two.id, before: one.id },
    { after: null, before: randomUUID() },
  ];
  for (const range of wrong) {
    client.send('fetch', { store: 'note', limit: 10, ...range });
    assert.equal((await client.take('error')).code, 'bad_message');
  }
  client.send('fetch', { store: 'nothing', after: null, before: null, limit: 10 });
  assert.equal((await client.take('error')).code, 'unknown_store');
});

test('a server that shuts down says when to come back', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  await server.stop();
  const { retryAfterMs } = JSON.parse((await client.closed).reason);
  assert.ok(retryAfterMs[0] < retryAfterMs[1]);
});
