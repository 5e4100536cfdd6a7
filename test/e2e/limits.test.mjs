// Every limit has a defined consequence, for the one that passes it and for nobody else.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { suiteCleanup } from './support/cleanup.mjs';
import { connect, connectSynced, upgradeRefused } from './support/client.mjs';
import { frame, rawSocket, rawWebSocket, upgradeRequest } from './support/raw.mjs';
import { startServer } from './support/server.mjs';
import { until } from './support/wait.mjs';

const ALL = ['chatMessage', 'account', 'note'];

// Opened first and looked at last, for a connection is given some seconds to say what it wants.
const suite = suiteCleanup();
let silent;
before(async () => {
  silent = rawSocket(suite, await startServer(suite));
});
after(() => suite.end());

const serverWith = (t, ...args) => startServer(t, { args });

test('a message over the limit closes with 1009, one at the limit is a message', async (t) => {
  const server = await serverWith(t, '--max-message-bytes', '2000');
  const client = await connectSynced(t, server, 'ada', ALL);
  const push = (size) => {
    const around = '{"type":"ping","data":""}'.length;
    client.sendText(`{"type":"ping","data":"${'x'.repeat(size - around)}"}`);
  };
  push(2000);
  await client.take('pong');
  push(2001);
  assert.equal((await client.closed).code, 1009);
});

test('a compressed message that inflates over the limit closes with 1009', async (t) => {
  const server = await serverWith(t, '--max-message-bytes', '20000', '--compress-loopback');
  const client = await connect(t, server, 'ada', { perMessageDeflate: { threshold: 0 } });
  assert.match(client.socket.extensions, /permessage-deflate/);
  await client.hello();
  client.push('note', { text: 'x'.repeat(10_000_000) });
  assert.equal((await client.closed).code, 1009);
});

test('an object over the limit is answered with too_large', async (t) => {
  const server = await serverWith(t, '--max-object-bytes', '1000');
  const client = await connectSynced(t, server, 'ada', ALL);
  const clientId = client.push('note', { text: 'x'.repeat(2000) });
  assert.equal((await client.errorOf(clientId)).code, 'too_large');
  assert.equal((await client.pushed('note', { text: 'x'.repeat(500) })).object.text.length, 500);
});

test('depth is limited as the operator says', async (t) => {
  const server = await serverWith(t, '--max-depth', '8');
  const nested = (depth) => `{"type":"ping","data":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  const client = await connectSynced(t, server, 'ada', ALL);
  client.sendText(nested(7));
  await client.take('pong');
  client.sendText(nested(8));
  assert.equal((await client.closed).code, 4400);
});

test('pushes over the rate are answered with rate_limited, and not stored', async (t) => {
  const server = await serverWith(t, '--max-pushes-per-second', '5');
  const client = await connectSynced(t, server, 'ada', ALL);
  const bystander = await connectSynced(t, server, 'bob', ALL);
  const sent = Array.from({ length: 20 }, () => client.push('note', { text: 'x' }));
  const stored = new Set();
  const refused = new Set();
  for (const clientId of sent) {
    const { type, data } = await client.answerTo(clientId);
    if (type === 'error') assert.equal(data.code, 'rate_limited');
    (type === 'error' ? refused : stored).add(clientId);
  }
  assert.ok(refused.size > 0, 'some are refused');
  assert.ok(stored.size >= 5, 'the limit itself is allowed');
  await bystander.pushed('note', { text: 'not disturbed' });
  const reader = await connectSynced(t, server, 'ada', ALL);
  const held = reader.synced.events.map((m) => m.data.clientId);
  assert.deepEqual(held.sort(), [...stored].sort());
});

test('who goes on far over the rate is closed with 4429', async (t) => {
  const server = await serverWith(t, '--max-pushes-per-second', '5');
  const client = await connectSynced(t, server, 'ada', ALL);
  const closed = client.closed;
  let over = false;
  closed.then(() => (over = true));
  while (!over) {
    for (let i = 0; i < 50 && !over; i++) client.push('note', { text: 'x' });
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await closed).code, 4429);
});

test('a user may have so many connections, and not one more', async (t) => {
  const server = await serverWith(t, '--max-connections-per-user', '3');
  const held = [];
  for (let i = 0; i < 3; i++) held.push(await connectSynced(t, server, 'ada', ALL));
  const over = await connect(t, server, 'ada');
  assert.equal((await over.closed).code, 1013);
  await connectSynced(t, server, 'bob', ALL);
  await held[0].close();
  await until(async () => {
    const again = await connect(t, server, 'ada');
    const answered = again.hello().then(() => true);
    return Promise.race([answered.catch(() => false), again.closed.then(() => false)]);
  }, 'a connection in place of the one that was closed');
});

test('who never says hello is closed with 4408', async (t) => {
  const server = await serverWith(t, '--hello-timeout-ms', '100');
  const client = await connect(t, server, 'ada');
  assert.equal((await client.closed).code, 4408);
});

test('pings do not put off the hello', async (t) => {
  const server = await serverWith(t, '--hello-timeout-ms', '300');
  const raw = await rawWebSocket(t, server, 'ada');
  const pinging = setInterval(() => raw.write(frame('', { opcode: 9 })), 20);
  t.after(() => clearInterval(pinging));
  assert.equal(await raw.closeCode(), 4408);
});

test('a page of another origin is refused, one of a listed origin or of none is not', async (t) => {
  const server = await serverWith(t, '--origin', 'https://app.example');
  const url = `${server.url}/?user=ada`;
  assert.equal(await upgradeRefused(url, { origin: 'https://evil.example' }), 403);
  assert.equal(await upgradeRefused(url, { origin: 'https://app.example.evil.example' }), 403);
  assert.equal(await upgradeRefused(url, { origin: 'http://app.example' }), 403);
  assert.equal(await upgradeRefused(url, { origin: 'null' }), 403);
  await connectSynced(t, server, 'ada', ALL, { origin: 'https://app.example' });
  await connectSynced(t, server, 'ada', ALL);
});

test('without a list, pages of the same host may connect, and no others', async (t) => {
  const server = await startServer(t);
  const url = `${server.url}/?user=ada`;
  assert.equal(await upgradeRefused(url, { origin: 'https://evil.example' }), 403);
  await connectSynced(t, server, 'ada', ALL, { origin: server.http });
});

test('a reader that is too slow is closed, loses nothing, and disturbs nobody', async (t) => {
  const args = ['--output-soft-bytes', '20000', '--output-hard-bytes', '300000'];
  const server = await serverWith(t, ...args);
  const writer = await connectSynced(t, server, 'ada', ALL);
  const slow = await connect(t, server, 'ada');
  const { stores } = await slow.hello();
  slow.socket.pause(); // from now on it reads nothing

  const text = 'x'.repeat(100_000);
  let pushed = 0;
  const closed = () => server.metric('syncdb_slow_readers_closed_total');
  while ((await closed()) === 0) {
    await writer.pushed('note', { text });
    pushed++;
    assert.ok(pushed < 2000, 'a reader that does not read is never closed');
  }
  slow.socket.resume();
  const { code } = await slow.closed;
  assert.ok(code === 1013 || code === 1006, `${code}`); // 1006: the close was behind what it left
  const received = slow.takeAll().filter((m) => m.type === 'update').length;
  assert.ok(received < pushed);

  const again = await connect(t, server, 'ada');
  const { events } = await again.sync(ALL, { note: stores.note.head });
  assert.equal(events.length, pushed);
});

test('a catch-up waits for a reader that pauses, and goes on with it', async (t) => {
  const args = ['--output-soft-bytes', '20000', '--output-hard-bytes', '2000000'];
  const server = await serverWith(t, ...args);
  const writer = await connectSynced(t, server, 'ada', ALL);
  const count = 400;
  await writer.pushedAll('note', Array(count).fill({ text: 'x'.repeat(50_000) }), 50);
  const reader = await connect(t, server, 'ada');
  reader.send('client_hello', { syncStatus: {} });
  reader.socket.pause();
  await writer.pushed('account', { name: 'while it waits' });
  const buffered = await server.metric('syncdb_output_buffered_bytes');
  assert.ok(buffered < 1_000_000, `${buffered} bytes are held for one reader`);
  reader.socket.resume();
  await reader.take('synced', (d) => d.store === 'note');
  const notes = reader.takeAll().filter((m) => m.data.store === 'note' && m.type === 'update');
  assert.equal(notes.length, count);
});

test('a request that comes in single bytes is a request', async (t) => {
  const server = await startServer(t);
  const raw = rawSocket(t, server);
  for (const byte of upgradeRequest('/?user=ada')) raw.write(byte);
  assert.equal(await raw.httpStatus(), 101);
});

test('a peer that answers no ping is closed', async (t) => {
  const server = await serverWith(t, '--ping-interval-ms', '100');
  const raw = await rawWebSocket(t, server, 'ada');
  raw.write(frame('{"type":"client_hello","data":{"syncStatus":{}}}'));
  await raw.rest();
  const client = await connectSynced(t, server, 'ada', ALL);
  let pings = 0;
  client.socket.on('ping', () => pings++);
  await until(() => pings >= 3, 'pings that `ws` answers');
  await client.pushed('note', { text: 'still connected' });
});

test('a connection that never says anything is closed', async () => {
  assert.equal((await silent.rest()).length, 0);
});
