// What both sides promise each other (docs/protocol.md): nothing missed, nothing twice.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { connect, connectSynced } from './support/client.mjs';
import { startServer } from './support/server.mjs';

const ALL = ['chatMessage', 'account', 'note'];
const message = (content) => ({ role: 'user', content });
const eventId = (data) => data.eventId ?? data.id;

/** Pushes notes "1" to `count`, one after the other; gives their events. */
async function pushNotes(client, count) {
  const events = [];
  for (let i = 1; i <= count; i++) events.push(await client.pushed('note', { text: `${i}` }));
  return events;
}

const texts = (messages) => messages.map((m) => m.data.object.text);

test('both devices of a user get a push, and no other user does', async (t) => {
  const server = await startServer(t);
  const phone = await connectSynced(t, server, 'ada', ALL);
  const laptop = await connectSynced(t, server, 'ada', ALL);
  const other = await connectSynced(t, server, 'bob', ALL);
  const event = await phone.pushed('chatMessage', message('hi'));
  assert.deepEqual(await laptop.take('update'), event);
  await other.pinged();
  assert.deepEqual(other.takeAll(), []);
});

test('event ids rise in the order of commit, over all stores', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const ids = [];
  for (let i = 0; i < 5; i++) {
    ids.push(eventId(await client.pushed('note', { text: 'x' })));
    ids.push(eventId(await client.pushed('account', { name: `${i}` })));
    ids.push(eventId(await client.pushed('chatMessage', message('x'))));
  }
  assert.deepEqual(ids, [...new Set(ids)].sort());
});

test('a device that was away is sent what it missed, newest first, then synced', async (t) => {
  const server = await startServer(t);
  const writer = await connectSynced(t, server, 'ada', ALL);
  const events = await pushNotes(writer, 5);
  const head = eventId(events[1]);
  const reader = await connect(t, server, 'ada');
  const { hello, synced, events: caught } = await reader.sync(ALL, { note: head });
  assert.deepEqual(hello.stores.note, { head: eventId(events[4]), reset: false });
  assert.deepEqual(texts(caught), ['5', '4', '3']);
  assert.equal(synced.note.after, head);
  assert.equal(synced.note.before ?? null, null);
  assert.equal(synced.note.more, false);
});

test('a device that missed nothing is sent nothing', async (t) => {
  const server = await startServer(t);
  const writer = await connectSynced(t, server, 'ada', ALL);
  const events = await pushNotes(writer, 2);
  const reader = await connect(t, server, 'ada');
  const { events: caught } = await reader.sync(ALL, { note: eventId(events[1]) });
  assert.deepEqual(caught, []);
});

test('missing ranges are sent, the newest range first, ends excluded', async (t) => {
  const server = await startServer(t);
  const writer = await connectSynced(t, server, 'ada', ALL);
  const ids = (await pushNotes(writer, 9)).map(eventId);
  const reader = await connect(t, server, 'ada');
  const missing = [
    { after: null, before: ids[2] },
    { after: ids[3], before: ids[6] },
  ];
  await reader.hello({ note: ids[7] }, { missing: { note: missing } });
  const read = [];
  const ranges = [];
  while (ranges.length < 3) {
    const { type, data } = await reader.takeMessage((m) => m.data.store === 'note');
    if (type === 'synced') ranges.push(data);
    else read.push(data.object.text);
  }
  assert.deepEqual(read, ['9', '6', '5', '2', '1']);
  assert.deepEqual(
    ranges.map((r) => [r.after ?? null, r.before ?? null, r.more]),
    [
      [ids[7], null, false],
      [ids[3], ids[6], false],
      [null, ids[2], false],
    ],
  );
});

test('a window sends the newest of a store and leaves the rest, which fetch brings', async (t) => {
  const server = await startServer(t);
  const writer = await connectSynced(t, server, 'ada', ALL);
  const ids = (await pushNotes(writer, 7)).map(eventId);
  const reader = await connect(t, server, 'ada');
  const { events, synced } = await reader.sync(ALL, {}, { window: { note: 3 } });
  assert.deepEqual(texts(events), ['7', '6', '5']);
  assert.equal(synced.note.more, true);

  reader.send('fetch', { store: 'note', after: null, before: ids[4], limit: 3 });
  const first = await reader.take('synced');
  assert.equal(first.more, true);
  assert.deepEqual(texts(reader.takeAll()), ['4', '3', '2']);

  reader.send('fetch', { store: 'note', after: null, before: ids[1], limit: 3 });
  const second = await reader.take('synced');
  assert.equal(second.more, false);
  assert.deepEqual(texts(reader.takeAll()), ['1']);
});

test('a head of another database is answered with reset, and everything is sent', async (t) => {
  const one = await startServer(t);
  const two = await startServer(t);
  const there = await connectSynced(t, one, 'ada', ALL);
  const [foreign] = await pushNotes(there, 1);
  const writer = await connectSynced(t, two, 'ada', ALL);
  await pushNotes(writer, 2);
  const reader = await connect(t, two, 'ada');
  const { hello, events } = await reader.sync(ALL, { note: eventId(foreign) });
  assert.equal(hello.stores.note.reset, true);
  assert.equal(hello.stores.account.reset, false);
  assert.deepEqual(texts(events), ['2', '1']);
});

test('a database that the hello names and that is another resets every store', async (t) => {
  const server = await startServer(t);
  const client = await connect(t, server, 'ada');
  const hello = await client.hello({ note: null }, { database: randomUUID() });
  assert.match(hello.database, /^[0-9a-f-]{36}$/);
  const again = await connect(t, server, 'ada');
  assert.equal((await again.hello({}, { database: hello.database })).database, hello.database);
});

test('a push that is sent again is stored once, and answered with what was stored', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const other = await connectSynced(t, server, 'ada', ALL);
  const clientId = randomUUID();
  const first = await client.pushed('note', { text: 'once' }, { clientId });
  const second = await client.pushed('note', { text: 'once' }, { clientId });
  assert.deepEqual(second, first);
  assert.deepEqual(await other.take('update'), first);
  await other.pinged();
  assert.deepEqual(other.takeAll(), [], 'the other device is told once');
  const reader = await connectSynced(t, server, 'ada', ALL);
  assert.deepEqual(texts(reader.synced.events), ['once']);
});

test('a client id used again with another object changes nothing', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const clientId = randomUUID();
  const first = await client.pushed('note', { text: 'first' }, { clientId });
  const second = await client.pushed('note', { text: 'second' }, { clientId });
  assert.deepEqual(second, first);
});

test('the same client id of two users is two pushes', async (t) => {
  const server = await startServer(t);
  const clientId = randomUUID();
  for (const user of ['ada', 'bob']) {
    const client = await connectSynced(t, server, user, ALL);
    const event = await client.pushed('note', { text: user }, { clientId });
    assert.equal(event.object.text, user);
  }
});

test('a replaced object keeps its id and moves to a new place in the log', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const [first, second] = await pushNotes(client, 2);
  const replaced = await client.pushed('note', { text: '1, again' }, { id: first.id });
  assert.equal(replaced.id, first.id);
  assert.ok(replaced.eventId > eventId(second));
  const reader = await connectSynced(t, server, 'ada', ALL);
  assert.deepEqual(texts(reader.synced.events), ['1, again', '2']);
  const behind = await connect(t, server, 'ada');
  const { events } = await behind.sync(ALL, { note: eventId(second) });
  assert.deepEqual(texts(events), ['1, again']);
});

test('a removed object is gone, and devices that were away are told', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const online = await connectSynced(t, server, 'ada', ALL);
  const [first, second] = await pushNotes(client, 2);
  const removed = await client.removed('note', first.id);
  assert.equal(removed.id, first.id);
  assert.ok(removed.eventId > eventId(second));
  assert.deepEqual(await online.take('remove'), removed);
  const behind = await connect(t, server, 'ada');
  const { events, hello } = await behind.sync(ALL, { note: eventId(second) });
  assert.deepEqual(
    events.map((m) => [m.type, m.data.id, m.data.eventId]),
    [['remove', first.id, removed.eventId]],
  );
  assert.equal(hello.stores.note.head, removed.eventId);
});

test('what was removed cannot be replaced or removed again', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const [note] = await pushNotes(client, 1);
  await client.removed('note', note.id);
  const update = client.push('note', { text: 'back' }, { id: note.id });
  assert.equal((await client.errorOf(update)).code, 'not_found');
  const clientId = randomUUID();
  client.send('remove', { store: 'note', id: note.id, clientId });
  assert.equal((await client.errorOf(clientId)).code, 'not_found');
});

test('a remove that is sent again is answered with the remove that was stored', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const [note] = await pushNotes(client, 1);
  const clientId = randomUUID();
  const first = await client.removed('note', note.id, clientId);
  assert.deepEqual(await client.removed('note', note.id, clientId), first);
});

test('in a singular store each update has a new id, and one event is caught up', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const first = await client.pushed('account', { name: 'Ada' });
  const second = await client.pushed('account', { name: 'Lovelace' });
  assert.ok(second.id > first.id);
  assert.equal(eventId(second), second.id);
  const reader = await connectSynced(t, server, 'ada', ALL);
  assert.deepEqual(
    reader.synced.events.map((m) => m.data),
    [second],
  );
});

test('$createdAt of the past is kept; the future or none becomes now', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const past = await client.pushed('note', { text: 'x', $createdAt: 1749383382805 });
  assert.equal(past.object.$createdAt, 1749383382805);
  const future = Date.now() + 3_600_000;
  for (const object of [{ text: 'x', $createdAt: future }, { text: 'x' }]) {
    const before = Date.now();
    const { $createdAt } = (await client.pushed('note', object)).object;
    assert.ok($createdAt >= before - 1 && $createdAt <= Date.now() + 1, `${$createdAt}`);
  }
});

test('an object comes back as it was written: numbers, escapes, order of keys', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const raw = '{"text":"\\u00e9 \\ud83d\\ude00 \\u0000","b":1.50,"a":12345678901234567890}';
  client.socket.removeAllListeners('message');
  const answer = new Promise((resolve) => client.socket.on('message', (d) => resolve(`${d}`)));
  client.sendText(
    `{"type":"update","data":{"store":"note","object":${raw},"clientId":"${randomUUID()}"}}`,
  );
  assert.ok((await answer).includes('"b":1.50,"a":12345678901234567890'), await answer);
});

test('pushes of a connection are stored in the order they were sent', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const sent = Array.from({ length: 200 }, (_, i) => client.push('note', { text: `${i}` }));
  const echoed = [];
  while (echoed.length < sent.length) echoed.push((await client.take('update')).clientId);
  assert.deepEqual(echoed, sent);
});

test('a long catch-up is whole while others push, replace and remove', async (t) => {
  const server = await startServer(t);
  const writer = await connectSynced(t, server, 'ada', ALL);
  const count = 3000;
  const objects = Array.from({ length: count }, (_, i) => ({ text: `${i}` }));
  const notes = await writer.pushedAll('note', objects);

  const reader = await connect(t, server, 'ada');
  await reader.hello();
  const changed = await writer.pushed('note', { text: 'changed' }, { id: notes[0].id });
  const removed = await writer.removed('note', notes[1].id);
  const added = await writer.pushed('note', { text: 'added' });
  await reader.take('synced', (d) => d.store === 'note');
  await reader.pinged();

  // What a client makes of it: an older event of an object never follows a newer one.
  const held = new Map();
  for (const { type, data } of reader.takeAll()) {
    if (type !== 'update' && type !== 'remove') continue;
    if (data.store !== 'note') continue;
    const before = held.get(data.id);
    assert.ok(!before || before.event < eventId(data), `stale after fresh: ${data.id}`);
    held.set(data.id, { event: eventId(data), text: data.object?.text });
  }
  assert.equal(held.size - (held.has(removed.id) ? 1 : 0), count);
  assert.equal(held.get(changed.id).text, 'changed');
  assert.equal(held.get(added.id).text, 'added');
  assert.equal(held.get(removed.id)?.text, undefined);
});

test('a ping is answered, an unknown type is an error, unknown fields are ignored', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  await client.pinged();
  client.send('frobnicate', {});
  assert.equal((await client.take('error')).code, 'unknown_type');
  const clientId = randomUUID();
  client.sendText(
    JSON.stringify({
      type: 'update',
      extra: [1],
      data: { store: 'note', object: { text: 'x' }, clientId, extra: { deep: true } },
    }),
  );
  assert.equal((await client.take('update')).clientId, clientId);
});

test('the subprotocol is chosen when it is offered, and not required', async (t) => {
  const server = await startServer(t);
  const offered = await connect(t, server, 'ada');
  assert.equal(offered.socket.protocol, 'syncdb.v1');
  const bare = await connect(t, server, 'ada', { protocols: [] });
  assert.equal(bare.socket.protocol, '');
  await bare.hello();
});

test('messages are compressed where both sides want it', async (t) => {
  const server = await startServer(t, { args: ['--compress-loopback'] });
  const options = { perMessageDeflate: { threshold: 0 } };
  const client = await connectSynced(t, server, 'ada', ALL, options);
  assert.match(client.socket.extensions, /permessage-deflate/);
  const text = 'compress me '.repeat(1000);
  for (let i = 0; i < 3; i++) {
    const event = await client.pushed('note', { text });
    assert.equal(event.object.text, text);
  }
  const plain = await connectSynced(t, server, 'ada', ALL);
  assert.equal(plain.socket.extensions, '');
  assert.equal(plain.synced.events.length, 3);
});
