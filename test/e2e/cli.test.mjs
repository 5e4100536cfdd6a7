// The commands beside `serve`.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { cleanup } from './support/cleanup.mjs';
import { connectSynced } from './support/client.mjs';
import { chatStores, run, startServer, syncdb, temporaryFolder } from './support/server.mjs';
import { writeStores } from './support/server.mjs';

const ALL = ['chatMessage', 'account', 'note'];

test('every command has --help, which says how to use it', async () => {
  const device = ['tail', 'push', 'remove', 'list'];
  const others = ['serve', 'check', 'types', 'connect', 'inspect', 'backup', 'bench'];
  for (const command of [...others, ...device]) {
    const { code, stdout } = await run([command, '--help']);
    assert.equal(code, 0, command);
    assert.match(stdout, new RegExp(`syncdb ${command}`));
  }
});

test('bad usage exits 2 and says what is wrong on stderr', async () => {
  const wrong = [
    [],
    ['frobnicate'],
    ['serve'],
    ['serve', '--frobnicate'],
    ['serve', '--listen'],
    ['check'],
    ['types'],
    ['types', '--stores', 'none.json'],
    ['connect'],
    ['inspect'],
    ['backup'],
    ['inspect', '--db', 'mysql://x'],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await run(args);
    assert.equal(code, 2, args.join(' '));
    assert.equal(stdout, '');
    assert.ok(stderr.length > 0);
  }
});

// ---- check ----

async function check(t, action, input, more = []) {
  const file = writeStores(temporaryFolder(t), chatStores);
  const args = ['check', '--stores', file, '--store', 'chat_message', '--action', action];
  return run([...args, ...more], input);
}

test('check accepts with exit code 0 and refuses with 1 and the reason', async (t) => {
  assert.equal((await check(t, 'create', '{"role":"user","content":"hi"}')).code, 0);

  const rejected = await check(t, 'create', '{"role":"assistant","content":"hi"}');
  assert.equal(rejected.code, 1);
  const verdict = JSON.parse(rejected.stdout);
  assert.equal(verdict.code, 'rejected');
  assert.equal(verdict.path, '/role');
  assert.ok(verdict.message);

  const invalid = await check(t, 'create', '{"role":"user"}');
  assert.equal(invalid.code, 1);
  assert.equal(JSON.parse(invalid.stdout).code, 'invalid_object');

  const update = await check(t, 'update', '{"role":"user","content":"hi"}');
  assert.equal(JSON.parse(update.stdout).code, 'rejected');
});

test('check reads a file where one is given', async (t) => {
  const file = path.join(temporaryFolder(t), 'object.json');
  writeFileSync(file, '{"role":"user","content":"hi"}');
  assert.equal((await check(t, 'create', '', [file])).code, 0);
});

test('check --lines gives a verdict a line', async (t) => {
  const lines = ['{"role":"user","content":"a"}', '{"role":"user"}', 'nonsense'];
  const { stdout } = await check(t, 'create', `${lines.join('\n')}\n`, ['--lines']);
  const verdicts = stdout.trimEnd().split('\n');
  assert.equal(verdicts.length, 3);
  assert.equal(verdicts[0], 'ok');
  assert.equal(JSON.parse(verdicts[1]).code, 'invalid_object');
  assert.equal(JSON.parse(verdicts[2]).code, 'bad_json');
});

test('check exits 2 where the definition is bad', async (t) => {
  const file = path.join(temporaryFolder(t), 'stores.json');
  for (const stores of ['nonsense', '{}', '{"stores":[{"name":"x","type":"y","schema":{}}]}']) {
    writeFileSync(file, stores);
    const args = ['check', '--stores', file, '--store', 'x', '--action', 'create'];
    const { code, stderr } = await run(args, '{}');
    assert.equal(code, 2, stores);
    assert.ok(stderr.length > 0);
  }
});

// ---- connect ----

test('connect sends the lines of stdin and prints what it receives', async (t) => {
  const server = await startServer(t);
  const child = spawn(syncdb, ['connect', `${server.url}/?user=ada`]);
  cleanup(t, () => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const until = async (type) => {
    for (;;) {
      const { value, done } = await lines.next();
      assert.ok(!done, `ended before ${type}`);
      const message = JSON.parse(value);
      if (message.type === type) return message.data;
    }
  };
  child.stdin.write('{"type":"client_hello","data":{"syncStatus":{}}}\n');
  await until('server_hello');
  const clientId = randomUUID();
  const data = { store: 'note', object: { text: 'typed' }, clientId };
  child.stdin.write(`${JSON.stringify({ type: 'update', data })}\n`);
  assert.equal((await until('update')).clientId, clientId);
  const other = await connectSynced(t, server, 'ada', ALL);
  await other.pushed('note', { text: 'from elsewhere' });
  assert.equal((await until('update')).object.text, 'from elsewhere');
});

test('connect says why it cannot', async () => {
  const { code, stderr } = await run(['connect', 'ws://127.0.0.1:1/']);
  assert.notEqual(code, 0);
  assert.match(stderr, /refused/);
});

// ---- inspect and backup ----

async function someData(t) {
  const server = await startServer(t);
  const client = await connectSynced(t, server, 'ada', ALL);
  const kept = await client.pushed('note', { text: 'kept' });
  const { id } = await client.pushed('note', { text: 'removed' });
  await client.removed('note', id);
  return { server, client, kept };
}

test('inspect tells users, objects and removes, and checks the file', async (t) => {
  const { server } = await someData(t);
  const db = `sqlite://${server.folder}/database.sqlite`;
  const text = await run(['inspect', '--db', db]);
  assert.equal(text.code, 0);
  assert.match(text.stdout, /^integrity +ok$/m);
  const { code, stdout } = await run(['inspect', '--db', db, '--json']);
  assert.equal(code, 0);
  const { users, objects, removes, format, intact, stores } = JSON.parse(stdout);
  assert.deepEqual([users, objects, removes, format, intact], [1, 1, 1, 2, true]);
  const note = stores.find((store) => store.name === 'note');
  assert.deepEqual([note.type, note.objects, note.removes], ['event', 1, 1]);
});

test('inspect of what there is not, or is no database, fails', async (t) => {
  const folder = temporaryFolder(t);
  const missing = await run(['inspect', '--db', `sqlite://${folder}/nothing.sqlite`]);
  assert.notEqual(missing.code, 0);
  writeFileSync(path.join(folder, 'text.sqlite'), 'x'.repeat(5000));
  const text = await run(['inspect', '--db', `sqlite://${folder}/text.sqlite`]);
  assert.notEqual(text.code, 0);
  assert.ok(text.stderr.length > 0);
});

test('a backup that is taken while the server runs is a database', async (t) => {
  const { server, client, kept } = await someData(t);
  const folder = temporaryFolder(t);
  const copy = path.join(folder, 'database.sqlite');
  const db = `sqlite://${server.folder}/database.sqlite`;
  const { code, stderr } = await run(['backup', '--db', db, copy]);
  assert.equal(code, 0, stderr);
  await client.pushed('note', { text: 'after the backup' });

  const restored = await startServer(t, { folder });
  const reader = await connectSynced(t, restored, 'ada', ALL);
  const updates = reader.synced.events.filter((m) => m.type === 'update').map((m) => m.data);
  assert.deepEqual(updates, [kept]);
});

test('a device that is ahead of a database restored from a backup is reset', async (t) => {
  const { server, client } = await someData(t);
  const folder = temporaryFolder(t);
  const copy = path.join(folder, 'database.sqlite');
  await run(['backup', '--db', `sqlite://${server.folder}/database.sqlite`, copy]);
  const ahead = await client.pushed('note', { text: 'after the backup' });
  const restored = await startServer(t, { folder });
  const reader = await connectSynced(t, restored, 'ada', ALL, { status: { note: ahead.id } });
  assert.equal(reader.synced.hello.stores.note.reset, true);
  const updates = reader.synced.events.filter((m) => m.type === 'update');
  assert.deepEqual(
    updates.map((m) => m.data.object.text),
    ['kept'],
  );
});

test('a backup does not overwrite a file', async (t) => {
  const { server } = await someData(t);
  const db = `sqlite://${server.folder}/database.sqlite`;
  const target = path.join(server.folder, 'precious');
  writeFileSync(target, 'precious');
  const { code } = await run(['backup', '--db', db, target]);
  assert.notEqual(code, 0);
});
