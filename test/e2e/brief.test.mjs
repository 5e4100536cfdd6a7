// The brief's messages, to the letter: what a client that knows nothing else may rely on.
// Partials are the server application's to make: example.test.mjs has them.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { connect } from './support/client.mjs';
import { startServer } from './support/server.mjs';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

// The messages of the brief say `message` where its schema says `content`.
const stores = [
  {
    name: 'chat_message',
    type: 'event',
    schema: {
      type: 'object',
      properties: { role: { type: 'string' }, message: { type: 'string' } },
      required: ['role', 'message'],
      additionalProperties: false,
    },
    rules: { create: { properties: { role: { const: 'user' } } }, update: false, delete: true },
  },
  {
    name: 'account',
    type: 'singular',
    schema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  },
];

const HELLO = `{
  "type": "client_hello",
  "data": {
    "syncStatus": {
      "chatMessage": "01974f63-6abc-7000-8107-66e6c9a45dda",
      "account": "01974f63-a721-7000-8d48-967521c55dd6"
    }
  }
}`;

const PUSH = `{
  "type": "update",
  "data": {
    "store": "chatMessage",
    "object": {
      "role": "user",
      "message": "hi",
      "$createdAt": 1749383382805
    },
    "clientId": "fed649ad-f26f-4fcb-ad05-d1b70049fa1f"
  }
}`;

const push = (message, clientId) =>
  PUSH.replace('hi', message).replace('fed649ad-f26f-4fcb-ad05-d1b70049fa1f', clientId);

async function greeted(t, server, hello = HELLO) {
  const client = await connect(t, server, 'ada', { protocols: [] });
  client.sendText(hello);
  await client.take('server_hello');
  return client;
}

test('the hello of the brief is answered', async (t) => {
  const server = await startServer(t, { stores });
  const client = await connect(t, server, 'ada', { protocols: [] });
  client.sendText(HELLO);
  const hello = await client.take('server_hello');
  assert.equal(hello.protocol, 1);
  assert.deepEqual(Object.keys(hello.stores).sort(), ['account', 'chatMessage']);
});

test('a push comes back with an id, its clientId and its object as it was', async (t) => {
  const server = await startServer(t, { stores });
  const client = await greeted(t, server);
  client.sendText(PUSH);
  const event = await client.take('update');
  assert.equal(event.store, 'chatMessage');
  assert.match(event.id, UUID_V7);
  assert.equal(event.clientId, 'fed649ad-f26f-4fcb-ad05-d1b70049fa1f');
  assert.deepEqual(event.object, { role: 'user', message: 'hi', $createdAt: 1749383382805 });
  assert.equal(event.eventId ?? event.id, event.id, 'a fresh object needs one id');
});

test('missed events are streamed from newest to oldest', async (t) => {
  const server = await startServer(t, { stores });
  const writer = await greeted(t, server);
  const said = ['one', 'two', 'three', 'four'];
  for (const [i, message] of said.entries()) {
    writer.sendText(push(message, `00000000-0000-4000-8000-00000000000${i}`));
    await writer.take('update');
  }
  const reader = await greeted(t, server, '{"type":"client_hello","data":{"syncStatus":{}}}');
  const read = [];
  for (const _ of said) read.push((await reader.take('update')).object.message);
  assert.deepEqual(read, said.reverse());
});

test('a client that gives its last received id is sent what came after it', async (t) => {
  const server = await startServer(t, { stores });
  const writer = await greeted(t, server);
  const ids = [];
  for (const [i, message] of ['one', 'two', 'three'].entries()) {
    writer.sendText(push(message, `00000000-0000-4000-8000-00000000000${i}`));
    ids.push((await writer.take('update')).id);
  }
  const hello = { type: 'client_hello', data: { syncStatus: { chatMessage: ids[0] } } };
  const reader = await greeted(t, server, JSON.stringify(hello));
  assert.equal((await reader.take('update')).id, ids[2]);
  assert.equal((await reader.take('update')).id, ids[1]);
  await reader.take('synced', (d) => d.store === 'chatMessage');
  assert.deepEqual(
    reader.takeAll().filter((m) => m.type === 'update'),
    [],
  );
});

test('a remove is an event of its own, and what was removed is gone', async (t) => {
  const server = await startServer(t, { stores });
  const client = await greeted(t, server);
  const other = await greeted(t, server);
  client.sendText(PUSH);
  const { id } = await client.take('update');
  client.sendText(JSON.stringify({ type: 'remove', data: { id } }));
  assert.equal((await client.take('remove')).id, id);
  assert.equal((await other.take('remove')).id, id);
  const late = await greeted(t, server, '{"type":"client_hello","data":{"syncStatus":{}}}');
  await late.take('synced', (d) => d.store === 'chatMessage');
  const updates = late.takeAll().filter((m) => m.type === 'update');
  assert.deepEqual(updates, []);
});

test('a singular store has one object, which an update overwrites', async (t) => {
  const server = await startServer(t, { stores });
  const client = await greeted(t, server);
  for (const name of ['Ada', 'Ada Lovelace']) {
    const data = { store: 'account', object: { name }, clientId: randomUUID() };
    client.sendText(JSON.stringify({ type: 'update', data }));
    assert.equal((await client.take('update')).object.name, name);
  }
  const reader = await greeted(t, server, '{"type":"client_hello","data":{"syncStatus":{}}}');
  await reader.take('synced', (d) => d.store === 'account');
  await reader.take('synced', (d) => d.store === 'chatMessage');
  const updates = reader.takeAll().filter((m) => m.type === 'update');
  assert.deepEqual(
    updates.map((m) => m.data.object.name),
    ['Ada Lovelace'],
  );
});

test('a rule refuses what is not the role of a user, and says where', async (t) => {
  const server = await startServer(t, { stores });
  const client = await greeted(t, server);
  client.sendText(PUSH.replace('"role": "user"', '"role": "assistant"'));
  const error = await client.take('error');
  assert.equal(error.code, 'rejected');
  assert.equal(error.path, '/role');
  assert.equal(error.clientId, 'fed649ad-f26f-4fcb-ad05-d1b70049fa1f');
  assert.ok(error.message.length > 0);
});

test('only create and delete are allowed', async (t) => {
  const server = await startServer(t, { stores });
  const client = await greeted(t, server);
  client.sendText(PUSH);
  const { id } = await client.take('update');
  const object = { role: 'user', message: 'changed' };
  const clientId = randomUUID();
  client.sendText(
    JSON.stringify({ type: 'update', data: { store: 'chatMessage', id, object, clientId } }),
  );
  assert.equal((await client.errorOf(clientId)).code, 'rejected');
});
