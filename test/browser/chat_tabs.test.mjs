// The chat's page in several tabs of one browser: one of them leads, and any may go at any time.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectSynced } from '../e2e/support/client.mjs';
import { suiteCleanup } from '../e2e/support/cleanup.mjs';
import { temporaryFolder } from '../e2e/support/server.mjs';
import { until } from '../e2e/support/wait.mjs';
import { newDevice, startBrowser, takeComplaints } from './support/browser.mjs';
import { answers, message, openChat, say, shown, startChat } from './support/chat.mjs';
import { lineOf, tryNow, untilShown } from './support/chat.mjs';

const ALL = ['chatMessage', 'account'];
const suite = suiteCleanup();
let browser;

before(async () => (browser = await startBrowser(suite)));
after(() => suite.end());

/** Two tabs of a device, both live: the first opened leads. `sockets`: the urls of all. */
async function twoTabs(t) {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  const sockets = [];
  device.on('page', (page) => page.on('websocket', (socket) => sockets.push(socket.url())));
  const leader = await openChat(device, server);
  const follower = await openChat(device, server);
  return { server, device, sockets, leader, follower };
}

async function contentsOf(t, server) {
  const client = await connectSynced(t, server, 'ada', ALL);
  const objects = client.synced.events.map(({ data }) => data.object);
  return objects.filter(({ role }) => role === 'user').map(({ content }) => content);
}

/** Takes a tab away by `how`, and expects the other to go on within two seconds, losing nothing. */
async function replaced(t, { server, leader, follower }, how) {
  await say(follower, 'before');
  await untilShown(leader, 'before');
  await answers(follower).waitFor();
  await how(leader);
  const began = Date.now();
  await say(follower, 'after');
  await untilShown(follower, 'after');
  const took = Date.now() - began;
  assert.ok(took < 2_500, `replaced and delivered in ${took} ms`);
  await answers(follower).nth(1).waitFor();
  assert.deepEqual((await contentsOf(t, server)).sort(), ['after', 'before']);
}

test('two tabs are in step and share one connection', async (t) => {
  const { server, sockets, leader, follower } = await twoTabs(t);
  await say(follower, 'from the follower');
  await untilShown(leader, 'from the follower');
  await say(leader, 'from the leader');
  await untilShown(follower, 'from the leader');
  for (const page of [leader, follower]) await answers(page).nth(1).waitFor();
  assert.deepEqual(await shown(leader), await shown(follower));
  assert.equal(sockets.length, 1);
  assert.equal(await server.metric('syncdb_connections'), 1);

  await follower.getByRole('button', { name: /add your name/ }).click();
  await follower.getByLabel('Your name').fill('Ada');
  await follower.keyboard.press('Enter');
  await leader.getByRole('button', { name: /^Ada/ }).waitFor();
});

test('an answer grows in both tabs', async (t) => {
  const { leader, follower } = await twoTabs(t);
  await say(leader, 'hi');
  for (const page of [leader, follower]) await answers(page, 'partial').waitFor();
  for (const page of [leader, follower]) await answers(page).waitFor();
  assert.deepEqual(await shown(leader), await shown(follower));
});

test('a leader that is closed is replaced', async (t) => {
  await replaced(t, await twoTabs(t), (leader) => leader.close());
});

test('a leader that crashes is replaced', async (t) => {
  const tabs = await twoTabs(t);
  await replaced(t, tabs, async (leader) => {
    const crashed = new Promise((resolve) => leader.once('crash', resolve));
    const session = await tabs.device.newCDPSession(leader);
    session.send('Page.crash').catch(() => {}); // it cannot answer
    await crashed;
    takeComplaints(leader); // that it crashed
  });
});

test('a leader that is frozen is replaced, and follows when it thaws', async (t) => {
  const tabs = await twoTabs(t);
  const session = await tabs.device.newCDPSession(tabs.leader);
  await replaced(t, tabs, () => session.send('Page.setWebLifecycleState', { state: 'frozen' }));
  await session.send('Page.setWebLifecycleState', { state: 'active' });
  await untilShown(tabs.leader, 'after');
  await say(tabs.leader, 'thawed');
  await untilShown(tabs.follower, 'thawed');
  assert.deepEqual((await contentsOf(t, tabs.server)).sort(), ['after', 'before', 'thawed']);
  // That of the tabs, and those of the two devices that looked.
  const connections = () => tabs.server.metric('syncdb_connections');
  await until(async () => (await connections()) === 3, 'one socket');
});

test('what a follower wrote while the leader died is delivered once', async (t) => {
  const { server, leader, follower } = await twoTabs(t);
  const wanted = [];
  for (let round = 0; round < 20; round++) {
    wanted.push(`message ${round}`);
    await say(follower, `message ${round}`);
    if (round === 10) leader.close();
  }
  for (const text of wanted) await untilShown(follower, text);
  assert.deepEqual((await contentsOf(t, server)).sort(), [...wanted].sort());
});

test('with a leader that cannot connect, both say so and keep what is written', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  const line = await lineOf(device, true);
  const leader = await openChat(device, server, 'ada', null);
  const follower = await openChat(device, server, 'ada', null);
  for (const page of [leader, follower]) await page.getByText('You are offline').waitFor();
  await say(follower, 'kept');
  await message(leader, 'kept', 'pending').waitFor();
  await message(follower, 'kept', 'pending').waitFor();
  line.away = false;
  await tryNow(follower);
  for (const page of [leader, follower]) await untilShown(page, 'kept');
});

test('signing out signs the other tabs out, and may clear what is here', async (t) => {
  const { server, device, leader, follower } = await twoTabs(t);
  await say(leader, 'hi');
  await untilShown(follower, 'hi');
  const databases = () =>
    follower.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
  assert.equal((await databases()).length, 1);
  await leader.getByRole('button', { name: 'Sign out' }).click();
  await leader.getByRole('dialog').getByText('Sign out of ada?').waitFor();
  await leader.getByRole('button', { name: 'Sign out and clear this device' }).click();
  for (const page of [leader, follower]) await page.getByLabel('Your name').waitFor();
  await until(async () => (await databases()).length === 0, 'no database');

  await follower.getByLabel('Your name').fill('bob');
  await follower.keyboard.press('Enter');
  await follower.getByText('Say hello').waitFor();
  assert.match(follower.url(), /\?user=bob$/);
  const again = await openChat(device, server, 'ada');
  await untilShown(again, 'hi'); // the server has it
});
