// The chat's page without its server, or with one that misbehaves.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { connectSynced } from '../e2e/support/client.mjs';
import { suiteCleanup } from '../e2e/support/cleanup.mjs';
import { temporaryFolder } from '../e2e/support/server.mjs';
import { newDevice, startBrowser } from './support/browser.mjs';
import { SOCKET, answers, message, openChat, say, shown, startChat } from './support/chat.mjs';
import { lineOf, tamper, tryNow, untilPhase, untilShown } from './support/chat.mjs';

const ALL = ['chatMessage', 'account'];
const suite = suiteCleanup();
let browser;

before(async () => (browser = await startBrowser(suite)));
after(() => suite.end());

/** What the server has of `user`'s messages, the answers apart. */
async function stored(t, server, user = 'ada') {
  const client = await connectSynced(t, server, user, ALL);
  const objects = client.synced.events.map(({ data }) => data.object);
  return objects.filter(({ role }) => role === 'user').map(({ content }) => content);
}

test('a killed server: the page says so, keeps what is written, delivers it once', async (t) => {
  const folder = temporaryFolder(t);
  const server = await startChat(t, folder);
  const page = await openChat(await newDevice(t, browser), server);
  await say(page, 'before');
  await answers(page).waitFor();
  await server.kill();
  await page.getByText('You are offline').waitFor();
  await say(page, 'meanwhile');
  await message(page, 'meanwhile', 'pending').waitFor();
  const again = await startChat(t, folder, server.port);
  await tryNow(page);
  await untilShown(page, 'meanwhile');
  await page.getByText('You are offline').waitFor({ state: 'detached' });
  await answers(page).nth(1).waitFor();
  assert.deepEqual((await stored(t, again)).sort(), ['before', 'meanwhile']);
});

test('written offline, the page closed, opened again: delivered once', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  const line = await lineOf(device, true);
  const page = await openChat(device, server, 'ada', null);
  for (const text of ['one', 'two']) {
    await say(page, text);
    await message(page, text, 'pending').waitFor();
  }
  await page.close();
  assert.deepEqual(await stored(t, server), []);
  line.away = false;
  const again = await openChat(device, server);
  for (const text of ['one', 'two']) await untilShown(again, text);
  await answers(again).nth(1).waitFor();
  assert.deepEqual((await stored(t, server)).sort(), ['one', 'two']);
});

test('after a reload what is here shows before the network answers', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  const page = await openChat(device, server);
  await say(page, 'hi');
  await answers(page).waitFor();
  const before = await shown(page);
  await page.close();
  let asked = 0;
  await device.routeWebSocket(SOCKET, () => asked++); // it opens, and nothing ever comes
  const again = await openChat(device, server, 'ada', null);
  await answers(again).waitFor();
  assert.deepEqual(await shown(again), before);
  assert.ok(asked <= 1);
});

test('not seen back for ten seconds it has failed, and is sent again on Retry', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  let drop = true;
  await tamper(device, (text) => (drop && text.includes('"update"') ? null : text));
  const page = await device.newPage();
  await page.clock.install();
  await page.goto(`${server.http}/?user=ada`);
  await untilPhase(page, 'Live');
  await say(page, 'lost on its way');
  await message(page, 'lost on its way', 'pending').waitFor();
  await page.clock.fastForward(9_000);
  assert.equal(await message(page, 'lost on its way', 'failed').count(), 0);
  await page.clock.fastForward(2_000);
  const failed = message(page, 'lost on its way', 'failed');
  await failed.getByText('Not sent: the server did not answer in time').waitFor();
  assert.deepEqual(await stored(t, server), []);

  drop = false;
  await failed.getByRole('button', { name: 'Retry' }).click();
  await untilShown(page, 'lost on its way');
  await answers(page).waitFor();
  assert.deepEqual(await stored(t, server), ['lost on its way']);
});

test('a failed message that is discarded is gone, here and after a reload', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  await tamper(device, (text) => (text.includes('"update"') ? null : text));
  const page = await device.newPage();
  await page.clock.install();
  await page.goto(`${server.http}/?user=ada`);
  await untilPhase(page, 'Live');
  await say(page, 'lost');
  await message(page, 'lost', 'pending').waitFor();
  await page.clock.fastForward(11_000);
  const failed = message(page, 'lost', 'failed');
  await failed.getByRole('button', { name: 'Discard' }).click();
  await page.getByText('Say hello').waitFor();
  await page.reload();
  await untilPhase(page, 'Live');
  await page.getByText('Say hello').waitFor();
});

test('nothing that a server says throws into the page, and it recovers', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  const update = (data) => JSON.stringify({ type: 'update', data });
  const object = { role: 'user', content: 'x', $createdAt: 1 };
  const bad = [
    'garbage',
    '{"type":"update","data":{"store":"chatMessage","obj',
    '[]',
    'null',
    '{"type":5}',
    '{"type":"server_hello","data":{"stores":7}}',
    update({ store: 'chatMessage', object, id: 'no uuid' }),
    update({ store: 'chatMessage', object: 'no object', id: randomUUID() }),
    update({ store: 'chatMessage', object: { role: 7 }, id: randomUUID() }),
    update({
      store: 'chatMessage', object: { ...object, $createdAt: '2020-01-01' }, id: randomUUID(),
    }),
    update({ store: 7, object, id: randomUUID() }),
    JSON.stringify({ type: 'partial', data: { store: 'chatMessage', id: 5 } }),
    JSON.stringify({ type: 'synced', data: [] }),
    JSON.stringify({ type: 'never heard of', data: {} }),
    update({ store: 'noSuchStore', object, id: randomUUID() }),
    `{"type":"update","data":"${'x'.repeat(10_000_000)}"}`,
    `${'['.repeat(100_000)}`,
    Buffer.from([0, 255, 1, 254]),
  ];
  let turn = 0;
  await device.routeWebSocket(SOCKET, (socket) => {
    if (turn >= bad.length) {
      socket.connectToServer();
      return;
    }
    const said = bad[turn++];
    socket.onMessage(() => {
      socket.send(said);
      setTimeout(() => socket.close({ code: 1011 }), 20);
    });
  });
  const page = await openChat(device, server, 'ada', null);
  await say(page, 'still here');
  while (turn < bad.length) {
    const before = turn;
    // It waits longer each time; people who cannot wait press the button.
    await tryNow(page);
    if (turn === before) await page.waitForTimeout(50);
    await message(page, 'still here').waitFor();
  }
  await tryNow(page);
  await untilPhase(page, 'Live');
  await untilShown(page, 'still here');
  await answers(page).filter({ hasText: 'Hello' }).waitFor();
  assert.deepEqual(await stored(t, server), ['still here']);
});
