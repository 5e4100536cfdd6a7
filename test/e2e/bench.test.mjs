// `syncdb bench`, in its shortest form: the figures are there, and nothing is left behind.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { cleanup } from './support/cleanup.mjs';
import { run, startServer, syncdb, temporaryFolder } from './support/server.mjs';
import { until } from './support/wait.mjs';

const short = ['--runs', '1', '--seconds', '0.1'];

test('bench measures a server of its own and writes the figures', async (t) => {
  const folder = temporaryFolder(t);
  const json = path.join(folder, 'figures.json');
  const args = ['bench', 'pushes', 'storm', ...short, '--directory', folder, '--json', json];
  const { code, stdout, stderr } = await run(args);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /16 in flight: syncdb +\d/);
  const { figures } = JSON.parse(readFileSync(json));
  const pushes = figures.find((f) => f.name === '16 in flight: syncdb');
  assert.ok(pushes.median > 0);
  assert.deepEqual(pushes.runs, [pushes.median]);
  assert.ok(figures.some((f) => f.bench === 'storm' && f.unit === 'ms' && f.median > 0));
  assert.deepEqual(readdirSync(folder), ['figures.json']);
});

test('bench measures a server that runs already', async (t) => {
  const server = await startServer(t);
  const { code, stderr } = await run(['bench', 'pushes', ...short, '--server', server.url]);
  assert.equal(code, 0, stderr);
});

test('bench that is interrupted ends its server and removes its database', async (t) => {
  const folder = temporaryFolder(t);
  const child = spawn(syncdb, ['bench', 'pushes', '--directory', folder]);
  cleanup(t, () => child.kill('SIGKILL'));
  const [root] = await until(() => readdirSync(folder)[0] && readdirSync(folder), 'its folder');
  const database = path.join(folder, root, '1');
  await until(() => {
    try {
      return readdirSync(database).includes('database.sqlite');
    } catch {
      return false;
    }
  }, 'its database');
  child.kill('SIGINT');
  await once(child, 'close');
  assert.equal(child.exitCode, 1);
  assert.deepEqual(readdirSync(folder), []);
});

test('bench says when a server cannot be reached, or a name is unknown', async () => {
  const refused = await run(['bench', 'pushes', ...short, '--server', 'ws://127.0.0.1:1/']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /refused/);
  for (const args of [['speed'], ['--runs', '0'], ['--seconds', 'x'], ['--server', 'http://x/']]) {
    const { code, stderr } = await run(['bench', ...args]);
    assert.equal(code, 2, args.join(' '));
    assert.ok(stderr.length > 0);
  }
});
