// examples/chat-ts: the brief's example, and its answer as a stream. Server and page import their
// stores from one file; the page is that of examples/chat.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { cleanup, suiteCleanup } from '../e2e/support/cleanup.mjs';
import { Server, temporaryFolder } from '../e2e/support/server.mjs';
import { newDevice, startBrowser } from './support/browser.mjs';
import { answers, message, openChat, say, shown, tamper, untilShown } from './support/chat.mjs';
import { root } from './support/pages.mjs';

const example = path.join(root, 'examples/chat-ts');
const suite = suiteCleanup();
let browser;

before(async () => {
  const built = spawnSync('npm', ['run', '--silent', 'build'], { cwd: example, encoding: 'utf8' });
  assert.equal(built.status, 0, built.stdout + built.stderr);
  browser = await startBrowser(suite);
});
after(() => suite.end());

/** Starts dist/NAME.js as `npm start` does, on a free port, with its database in `folder`. */
async function start(t, name, folder = temporaryFolder(t)) {
  const options = { cwd: folder, env: { ...process.env, PORT: '0' } };
  const child = spawn(process.execPath, [path.join(example, `dist/${name}.js`)], options);
  const server = new Server(child);
  cleanup(t, async () => {
    if (server.running) await server.stop();
  });
  return server.listening();
}

test('the brief’s server answers, and the page shows it on every device', async (t) => {
  const folder = temporaryFolder(t);
  const server = await start(t, 'server', folder);
  const page = await openChat(await newDevice(t, browser), server);
  const other = await openChat(await newDevice(t, browser), server);
  await say(page, 'hi');
  await untilShown(other, 'Hello, how can I help you?');
  assert.deepEqual(await shown(page), await shown(other));
  assert.deepEqual((await shown(page)).map(({ own, text }) => [own, text]), [
    [true, 'hi'],
    [false, 'Hello, how can I help you?'],
  ]);
  await server.stop();
  const again = await start(t, 'server', folder);
  const later = await openChat(await newDevice(t, browser), again);
  await untilShown(later, 'Hello, how can I help you?');
});

test('validateUpdate refuses on the server too, with its own words', async (t) => {
  const server = await start(t, 'server');
  const device = await newDevice(t, browser);
  await tamper(device, (text) => text.replace('"role":"user"', '"role":"assistant"'));
  const page = await openChat(device, server);
  await say(page, 'not mine to say');
  const words = 'Not sent: Only user messages can be created!';
  await page.getByText(words, { exact: true }).waitFor();
  assert.equal(await message(page, 'not mine to say', 'synced').count(), 0);
});

test('the stream shows word by word; where the model fails the answer goes', async (t) => {
  const server = await start(t, 'stream');
  const page = await openChat(await newDevice(t, browser), server);
  await say(page, 'a question');
  await answers(page, 'partial').waitFor();
  const early = await answers(page, 'partial').locator('.bubble').textContent();
  await answers(page).waitFor();
  const whole = await answers(page).locator('.bubble').textContent();
  assert.ok(whole.startsWith(early) && early.length < whole.length, `${early} / ${whole}`);
  assert.match(whole, /^You said "a question"/);
  await say(page, 'please fail');
  await answers(page, 'partial').waitFor();
  await answers(page, 'partial').waitFor({ state: 'detached' });
  assert.equal(await answers(page).count(), 1);
  assert.match(server.log, /the model has failed/);
});
