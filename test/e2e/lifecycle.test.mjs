// Starting, ending, and what is asked of a running server.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { connect, connectSynced } from './support/client.mjs';
import { chatStores, run, serveArguments } from './support/server.mjs';
import { startServer, temporaryFolder } from './support/server.mjs';

const ALL = ['chatMessage', 'account', 'note'];

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} closes connections with 1001, stores what was sent, and exits 0`, async (t) => {
    const folder = temporaryFolder(t);
    const server = await startServer(t, { folder });
    const client = await connectSynced(t, server, 'ada', ALL);
    const quiet = await connect(t, server, 'bob'); // has not said hello
    const first = await client.pushed('note', { text: 'acknowledged' });
    for (let i = 0; i < 50; i++) client.push('note', { text: `${i}` });
    await client.pinged(); // the server has read them all
    await server.stop(signal);
    assert.equal((await client.closed).code, 1001);
    assert.equal((await quiet.closed).code, 1001);

    const again = await startServer(t, { folder });
    const reader = await connectSynced(t, again, 'ada', ALL);
    assert.equal(reader.synced.events.length, 51);
    assert.deepEqual(reader.synced.events.at(-1).data, first);
  });
}

test('a restart keeps the database, its id and the ids of its events', async (t) => {
  const folder = temporaryFolder(t);
  const first = await startServer(t, { folder });
  const writer = await connectSynced(t, first, 'ada', ALL);
  const clientId = writer.push('note', { text: 'kept' });
  const event = await writer.take('update');
  const { database } = writer.synced.hello;
  await first.stop();

  const second = await startServer(t, { folder });
  const reader = await connect(t, second, 'ada');
  const { hello, events } = await reader.sync(ALL, { note: event.id }, { database });
  assert.equal(hello.database, database);
  assert.equal(hello.stores.note.reset, false);
  assert.deepEqual(events, []);
  assert.deepEqual(await reader.pushed('note', { text: 'kept' }, { clientId }), event);
  assert.ok((await reader.pushed('note', { text: 'next' })).id > event.id);
});

test('a database is open in one server at a time', async (t) => {
  const folder = temporaryFolder(t);
  const server = await startServer(t, { folder });
  const second = await run(serveArguments(folder));
  assert.notEqual(second.code, 0);
  assert.match(second.stderr, /another/);
  const client = await connectSynced(t, server, 'ada', ALL);
  await client.pushed('note', { text: 'not disturbed' });
});

test('a port that is taken is an error, and named', async (t) => {
  const server = await startServer(t);
  const listen = `127.0.0.1:${server.port}`;
  const result = await run(serveArguments(temporaryFolder(t), { listen }));
  assert.notEqual(result.code, 0);
  assert.match(result.stderr, /in use/);
});

test('a file that is no database is refused, and left as it is', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'database.sqlite'), 'not a database '.repeat(1000));
  const result = await run(serveArguments(folder));
  assert.notEqual(result.code, 0);
  assert.match(result.stderr, /database/);
});

test('stores that are not valid are refused, with the place in the file', async (t) => {
  const stores = structuredClone(chatStores);
  stores[0].schema.properties.role.if = {};
  const result = await run(serveArguments(temporaryFolder(t), { stores }));
  assert.notEqual(result.code, 0);
  assert.match(result.stderr, /"?if"?/);
  assert.match(result.stderr, /\/stores\/0\/schema\/properties\/role/);
});

test('a store keeps its objects when another one is added or taken away', async (t) => {
  const folder = temporaryFolder(t);
  const server = await startServer(t, { folder });
  const client = await connectSynced(t, server, 'ada', ALL);
  const event = await client.pushed('note', { text: 'kept' });
  await server.stop();
  const others = chatStores.filter((store) => store.name !== 'note');
  const without = await startServer(t, { folder, stores: others });
  await connectSynced(t, without, 'ada', ['chatMessage', 'account']);
  await without.stop();
  const added = { name: 'draft', type: 'event', schema: { type: 'object' } };
  const more = await startServer(t, { folder, stores: [added, ...chatStores] });
  const reader = await connectSynced(t, more, 'ada', [...ALL, 'draft']);
  assert.deepEqual(
    reader.synced.events.map((m) => m.data),
    [event],
  );
});

test('/healthz says that it is well', async (t) => {
  const server = await startServer(t);
  const answer = await fetch(`${server.http}/healthz`);
  assert.equal(answer.status, 200);
});

test('/metrics counts, in the text format of Prometheus', async (t) => {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  await client.pushed('note', { text: 'x' });
  const refused = client.push('note', { text: 1 });
  await client.errorOf(refused);
  const answer = await fetch(`${server.http}/metrics`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type'), /^text\/plain/);
  const text = await answer.text();
  for (const line of text.trimEnd().split('\n'))
    assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? \S+)$/);
  assert.equal(await server.metric('syncdb_connections'), 1);
  assert.equal(await server.metric('syncdb_pushes_total{outcome="stored"}'), 1);
  assert.equal(await server.metric('syncdb_pushes_total{outcome="invalid"}'), 1);
});

test('the log is a line an event, JSON where asked for', async (t) => {
  const server = await startServer(t, { args: ['--log-format', 'json'] });
  await connectSynced(t, server, 'ada', ALL);
  await server.stop();
  const lines = server.log.trimEnd().split('\n');
  const events = lines.map((line) => JSON.parse(line));
  assert.ok(events.length > 0);
  for (const event of events) assert.ok(event.event && event.level, JSON.stringify(event));
});
