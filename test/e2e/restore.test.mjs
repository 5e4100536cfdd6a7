// A database that is restored from a backup: what its devices show and deliver afterwards.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { connect, connectSynced } from './support/client.mjs';
import { startCommand } from './support/command.mjs';
import { run, startServer, syncdb, temporaryFolder } from './support/server.mjs';
import { until } from './support/wait.mjs';

const ALL = ['chatMessage', 'account', 'note'];

const databaseOf = (server) => path.join(server.folder, 'database.sqlite');

/** A device of ada's with a local file of its own. */
function device(t, server) {
  const local = path.join(temporaryFolder(t), 'ada.sqlite');
  const shared = [server.url, '--stores', path.join(server.folder, 'stores.json')];
  shared.push('--user', 'ada', '--local', local);
  const results = ({ stdout }) => stdout.split('\n').filter(Boolean).map((l) => JSON.parse(l));
  return {
    synced: () => run(['tail', ...shared, '--until-synced']),
    tail: () => startCommand(t, syncdb, ['tail', ...shared]),
    queue: (object) => run(['push', ...shared, 'note', JSON.stringify(object), '--offline']),
    texts: async () => {
      const listed = results(await run(['list', ...shared, 'note', '--json']));
      return listed.map((record) => record.object.text).sort();
    },
    account: async () => results(await run(['list', ...shared, 'account', '--json'])),
    unsynced: async () => results(await run(['list', ...shared, '--unsynced']))[0].unsynced,
  };
}

async function backUp(t, server) {
  const file = path.join(temporaryFolder(t), 'backup.sqlite');
  const db = `sqlite://${databaseOf(server)}`;
  const { code, stderr } = await run(['backup', '--db', db, file]);
  assert.equal(code, 0, stderr);
  return file;
}

/** Ends the server, puts the backup in its database's place, and serves that at the same port. */
async function restore(t, server, backup) {
  if (server.running) await server.stop();
  assert.ok(!existsSync(`${databaseOf(server)}-wal`));
  copyFileSync(backup, databaseOf(server));
  return startServer(t, { folder: server.folder, listen: `127.0.0.1:${server.port}` });
}

async function inspected(file) {
  const { code, stdout } = await run(['inspect', '--db', `sqlite://${file}`, '--json']);
  assert.equal(code, 0);
  return JSON.parse(stdout);
}

/** The texts of the notes that the server sends to who has nothing, in order of their names. */
async function served(t, server) {
  const reader = await connectSynced(t, server, 'ada', ALL);
  const notes = reader.synced.events.filter((m) => m.data.store === 'note');
  await reader.close();
  return notes.map((m) => m.data.object.text).sort();
}

test('a device that a restored server has gone past shows what that has', async (t) => {
  const server = await startServer(t);
  const phone = device(t, server);
  const tablet = device(t, server).tail(); // it is there all the time
  const writer = await connectSynced(t, server, 'ada', ALL);
  const changed = await writer.pushed('note', { text: 'kept' });
  const removed = await writer.pushed('note', { text: 'removed later' });
  const backup = await backUp(t, server);
  await writer.pushed('note', { text: 'lost 1' });
  await writer.pushed('note', { text: 'kept, changed later' }, { id: changed.id });
  await writer.removed('note', removed.id);
  await writer.pushed('account', { name: 'lost' });
  const head = await writer.pushed('note', { text: 'lost 2' });
  await tablet.take((line) => line.object?.text === 'lost 2', 'the last note');
  assert.equal((await phone.synced()).code, 0);
  assert.deepEqual(await phone.texts(), ['kept, changed later', 'lost 1', 'lost 2']);

  await server.stop();
  assert.equal((await phone.queue({ text: 'mine' })).code, 3);
  const restored = await restore(t, server, backup);
  const other = await connectSynced(t, restored, 'ada', ALL);
  for (const text of ['new 1', 'new 2']) {
    const event = await other.pushed('note', { text });
    assert.ok(event.id > head.id, 'the server is past all that anybody holds');
  }

  const expected = ['kept', 'mine', 'new 1', 'new 2', 'removed later'];
  assert.equal((await phone.synced()).code, 0);
  assert.deepEqual(await phone.unsynced(), []);
  assert.deepEqual(await phone.texts(), expected);
  assert.deepEqual(await phone.account(), []);
  assert.deepEqual(await served(t, restored), expected);
  assert.equal((await phone.synced()).code, 0); // and what is delivered is not delivered again
  assert.deepEqual(await served(t, restored), expected);

  // Behind its reset the tablet is told of what there is, and of nothing else.
  const shown = await until(() => {
    const lines = tablet.all.map((line) => JSON.parse(line)).filter((l) => l.store === 'note');
    const reset = lines.findLastIndex((l) => l.change === 'reset');
    const texts = new Set(lines.slice(reset + 1).map((l) => l.object?.text));
    return reset >= 0 && expected.every((text) => texts.has(text)) && texts;
  }, 'all that there is, on the tablet');
  assert.deepEqual([...shown].sort(), expected);
});

test('heads of before a restore are answered with reset, those of after it are not', async (t) => {
  const server = await startServer(t);
  const writer = await connectSynced(t, server, 'ada', ALL);
  const first = await writer.pushed('note', { text: 'in the backup' });
  const backup = await backUp(t, server);
  const lost = await writer.pushed('note', { text: 'lost' });
  const { database } = writer.synced.hello;

  const restored = await restore(t, server, backup);
  const other = await connectSynced(t, restored, 'ada', ALL);
  const last = await other.pushed('note', { text: 'new' });
  assert.equal(other.synced.events[0].data.id, first.id); // ids stay
  assert.notEqual(other.synced.hello.database, database);
  for (const head of [first.id, lost.id]) {
    const missing = { note: [{ after: null, before: first.id }] };
    const device = await connect(t, restored, 'ada');
    const more = { database, missing };
    const { hello, events, synced } = await device.sync(ALL, { note: head }, more);
    assert.equal(hello.stores.note.reset, true);
    assert.equal(hello.stores.account.reset, false); // it says that it holds nothing of it
    assert.equal(synced.note.after, null);
    assert.deepEqual(
      events.map((m) => m.data.id),
      [last.id, first.id],
    );
  }
  const again = { database: other.synced.hello.database };
  const device = await connectSynced(t, restored, 'ada', ALL, {
    status: { note: first.id },
    more: again,
  });
  assert.equal(device.synced.hello.stores.note.reset, false);
  assert.deepEqual(
    device.synced.events.map((m) => m.data.id),
    [last.id],
  );
});

test('a push that was acknowledged and lost is taken when it is sent again, once', async (t) => {
  const server = await startServer(t);
  const writer = await connectSynced(t, server, 'ada', ALL);
  const backup = await backUp(t, server);
  const clientId = randomUUID();
  const before = await writer.pushed('note', { text: 'sent again' }, { clientId });
  const restored = await restore(t, server, backup);
  const device = await connectSynced(t, restored, 'ada', ALL);
  const after = await device.pushed('note', { text: 'sent again' }, { clientId });
  assert.notEqual(after.id, before.id);
  assert.deepEqual(await device.pushed('note', { text: 'sent again' }, { clientId }), after);
  assert.deepEqual(await served(t, restored), ['sent again']);
  const lost = device.push('note', { text: 'of what is lost' }, { id: before.id });
  assert.equal((await device.errorOf(lost)).code, 'not_found');
});

test('inspect tells the epoch, and each restore from one backup begins another', async (t) => {
  const server = await startServer(t);
  const file = databaseOf(server);
  const made = await inspected(file);
  const backup = await backUp(t, server);
  const epochs = [made.epoch];
  let running = server;
  for (let i = 0; i < 2; i++) {
    const looked = await inspected(backup);
    assert.deepEqual([looked.epoch, looked.database], [null, made.database]);
    running = await restore(t, running, backup);
    const { epoch, database } = await inspected(file);
    assert.equal(database, made.database);
    assert.equal((await connectSynced(t, running, 'ada', ALL)).synced.hello.database, epoch);
    epochs.push(epoch);
  }
  assert.equal(new Set(epochs).size, 3);
  const text = await run(['inspect', '--db', `sqlite://${backup}`, '--quick']);
  assert.match(text.stdout, /^epoch +none yet/m);
  const now = await run(['inspect', '--db', `sqlite://${file}`, '--quick']);
  assert.match(now.stdout, new RegExp(`^epoch +${epochs[2]}$`, 'm'));
});

test('a copy that other means made is restored by a backup of it', async (t) => {
  const server = await startServer(t);
  const writer = await connectSynced(t, server, 'ada', ALL);
  await writer.pushed('note', { text: 'kept' });
  await server.stop();
  const copy = path.join(temporaryFolder(t), 'copy.sqlite');
  copyFileSync(databaseOf(server), copy);
  const backup = path.join(temporaryFolder(t), 'backup.sqlite');
  assert.equal((await run(['backup', '--db', `sqlite://${copy}`, backup])).code, 0);
  const restored = await restore(t, server, backup);
  const reader = await connectSynced(t, restored, 'ada', ALL);
  assert.notEqual(reader.synced.hello.database, writer.synced.hello.database);
  assert.deepEqual(await served(t, restored), ['kept']);
});
