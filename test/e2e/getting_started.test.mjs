// docs/getting-started-c.md, done as it is written, from an empty folder.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './support/server.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

test('the C page works as it is written', async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort(); // the page says 8080, which may be taken here
  const text = readFileSync(path.join(root, 'docs/getting-started-c.md'), 'utf8');
  const page = text.replaceAll('8080', `${port}`);
  const files = [...page.matchAll(/`(\w+\.c)`:\n\n```c\n(.*?)```/gs)];
  assert.deepEqual(files.map(([, name]) => name), ['stores.c', 'server.c', 'device.c']);
  for (const [, name, code] of files) writeFileSync(path.join(folder, name), code);

  // The first block is how the project is built, which it is.
  const [, ...blocks] = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, commands]) => commands);
  assert.equal(blocks.length, 4);
  const script = `set -e; trap 'kill $(jobs -p)' EXIT\n${blocks.join('')}`;
  const env = { ...process.env, SYNCDB: root };
  const child = spawn('bash', ['-c', script], { cwd: folder, env });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (more) => (said += more));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, said);
  assert.match(said, /^ada: \{"text":"buy bread","done":false,"\$createdAt":\d+\}$/m);
  assert.match(said, /^delivered$/m);
  assert.match(said, /^refused: Say what is to be done\.\nas it should be$/m);
  assert.match(said, /moduleStore<Note, "event">\("note", "event"\)/);
});
