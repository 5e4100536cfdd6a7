// docs/getting-started-typescript.md, as it is written, with the packages that are here already
// (that the package can be installed into an empty folder is a test of its own).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { startCommand } from '../e2e/support/command.mjs';
import { temporaryFolder } from '../e2e/support/server.mjs';
import { newDevice, openPage, startBrowser } from './support/browser.mjs';
import { root } from './support/pages.mjs';

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function inFolder(cwd, ...command) {
  const child = spawn(command[0], command.slice(1), { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (said += text));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, `${command.join(' ')}: ${said}`);
  return said;
}

test('the TypeScript page works as it is written', async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort(); // the page says 8080, which may be taken here
  const text = readFileSync(path.join(root, 'docs/getting-started-typescript.md'), 'utf8');
  const page = text.replaceAll('8080', `${port}`);
  const files = [...page.matchAll(/`([a-z.]+)`:\n\n```\w+\n(.*?)```/gs)];
  assert.equal(files.length, 7);
  for (const [, name, content] of files) writeFileSync(path.join(folder, name), content);
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));

  const blocks = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, commands]) => commands);
  assert.equal(blocks.length, 4);
  const lines = blocks[2].trim().split('\n'); // the first two build and install
  assert.deepEqual(lines, ['npx tsc', 'npx vite build', 'node build/server.js &']);
  await inFolder(folder, 'npx', 'tsc');
  await inFolder(folder, 'npx', 'vite', 'build');
  const server = startCommand(t, process.execPath, ['build/server.js'], { cwd: folder });
  await server.takeLine((line) => line === `open http://127.0.0.1:${port}/`);

  const browser = await startBrowser(t);
  const tab = await openPage(await newDevice(t, browser), `http://127.0.0.1:${port}/`);
  await tab.getByText('live').waitFor();
  const devices = blocks[3].trim().split('\n').slice(1);
  assert.deepEqual(devices, ['node build/device.js "buy bread"', 'node build/device.js something']);
  assert.equal(await inFolder(folder, 'sh', '-c', devices[0]), '- buy bread\n');
  await tab.getByLabel('buy bread').waitFor();
  const refused = await inFolder(folder, 'sh', '-c', devices[1]);
  assert.match(refused, /^refused: Say what is to be done\.$/m);

  await tab.getByLabel('buy bread').click();
  await tab.getByLabel('What is to be done?').fill('remind me');
  await tab.keyboard.press('Enter');
  await tab.getByLabel('You asked to be reminded.').waitFor();
  const refusal = new Promise((resolve) => {
    tab.once('dialog', (dialog) => dialog.accept().then(() => resolve(dialog.message())));
  });
  await tab.getByLabel('What is to be done?').fill('something');
  await tab.keyboard.press('Enter');
  assert.equal(await refusal, 'Say what is to be done.');
  const listed = await inFolder(folder, 'sh', '-c', devices[0]);
  assert.match(listed, /^x buy bread$/m);
});
