// A disk that is full: refused pushes are told so, nothing acknowledged is lost, and the server
// goes on by itself when there is room again. Needs root, for a small file system of its own.
import assert from 'node:assert/strict';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { connectSynced } from './support/client.mjs';
import { smallDisk } from './support/disk.mjs';
import { startServer } from './support/server.mjs';
import { until } from './support/wait.mjs';

const ALL = ['chatMessage', 'account', 'note'];

function fill(folder) {
  const file = path.join(folder, 'ballast');
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(file, Buffer.alloc(bavail * bsize));
  return file;
}

test('a full disk is unavailable, loses nothing, and heals', async (t) => {
  const folder = smallDisk(t);
  if (!folder) return t.skip('needs the right to mount a tmpfs');
  const server = await startServer(t, { folder });
  const client = await connectSynced(t, server, 'ada', ALL);
  const watcher = await connectSynced(t, server, 'ada', ALL);
  const acknowledged = [await client.pushed('note', { text: 'before' })];

  const ballast = fill(folder);
  let refused;
  while (!refused) {
    const object = { text: 'x'.repeat(20_000) };
    const clientId = client.push('note', object);
    const { type, data } = await client.answerTo(clientId);
    if (type === 'update') acknowledged.push(data);
    else refused = { code: data.code, object, clientId };
  }
  assert.equal(refused.code, 'unavailable');
  await client.pinged();
  await watcher.pinged();
  const told = watcher.takeAll().map((m) => m.data);
  assert.deepEqual(told, acknowledged, 'the other device was told what was acknowledged, no more');
  assert.ok(server.running);

  rmSync(ballast);
  const { object, clientId } = refused;
  const healed = await until(async () => {
    client.push('note', object, { clientId });
    const { type, data } = await client.answerTo(clientId);
    return type === 'update' && data;
  }, 'a push that is stored again');
  acknowledged.push(healed);

  await server.kill();
  const again = await startServer(t, { folder });
  const reader = await connectSynced(t, again, 'ada', ALL);
  assert.deepEqual(reader.synced.events.map((m) => m.data).reverse(), acknowledged);
});
