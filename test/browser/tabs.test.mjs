// Several tabs of one user in Chromium: one connection, one storage; a leader that is closed, that
// crashes or freezes; pages of two versions.
import assert from 'node:assert/strict';
import test from 'node:test';
import { suiteCleanup } from '../e2e/support/cleanup.mjs';
import { chatStores, startServer } from '../e2e/support/server.mjs';
import { deadline, until } from '../e2e/support/wait.mjs';
import { newDevice, openPage, startBrowser, takeComplaints } from './support/browser.mjs';
import { startTestPage } from './support/pages.mjs';

const stores = chatStores.map((store) => ({ rules: null, ...store, refine: null, check: null }));

/** `make(name, url)` makes a client and keeps it by that name. */
const SOURCE = `
  import { createClient } from 'syncdb/client';
  const stores = ${JSON.stringify(stores)};
  window.clients = {};
  window.make = (name, url, { more, ...options } = {}) => {
    const all = more ? [...stores, { ...stores[2], name: more }] : stores;
    const client = createClient({ url, stores: all, ...options });
    window.clients[name] = client;
    client.notes = client.store(all[2]);
    client.account = client.store(all[1]);
    client.notes.subscribe(() => {});
    return client.ready;
  };
  window.texts = (name) =>
    window.clients[name].notes.snapshot().records.map(({ object }) => object.text);
  window.states = (name) =>
    window.clients[name].notes.snapshot().records.map(({ state }) => state);
  window.busy = (ms) => { for (const end = Date.now() + ms; Date.now() < end; ); };`;

const t = suiteCleanup();
let browser, pages;
test.before(async () => {
  pages = await startTestPage(t, SOURCE);
  browser = await startBrowser(t);
});
test.after(() => t.end());

async function tabOf(device, server, options) {
  const page = await openPage(device, pages.url);
  await page.waitForFunction(() => window.ready);
  const all = [urlOf(server), options];
  const made = page.evaluate(([url, more]) => window.make('it', url, more), all);
  await deadline(made, () => 'the client is never ready');
  return page;
}

const urlOf = (server) => `${server.url}?user=ada`;

const statusOf = (page, name = 'it') => page.evaluate((n) => window.clients[n].status, name);
const push = (page, text) => page.evaluate((t) => window.clients.it.notes.push({ text: t }), text);
const has = (page, text) =>
  page.waitForFunction((t) => window.texts('it').includes(t), text, { polling: 20 });
const leads = (page) =>
  page.waitForFunction(() => window.clients.it.status.leader, null, { polling: 20 });
const delivered = (page) => page.evaluate(() => window.clients.it.delivered());
const connections = (server) => server.metric('syncdb_connections');

/** What another device finds at the server, oldest first. */
async function storedAt(t, server) {
  const page = await tabOf(await newDevice(t, browser), server);
  await page.evaluate(() => window.clients.it.synced());
  const texts = await page.evaluate(async () =>
    (await window.clients.it.notes.list({ limit: 1000 })).map(({ object }) => object.text));
  await page.close();
  return texts.reverse();
}

/** A server that takes connections of our pages. */
const serve = (t, options) =>
  startServer(t, { args: ['--origin', new URL(pages.url).origin], ...options });

/** A server, a device with so many tabs of it, the first one leading. */
async function start(t, count = 2, options = {}) {
  const server = await serve(t, options);
  const device = await newDevice(t, browser);
  const tabs = [];
  for (let i = 0; i < count; i++) tabs.push(await tabOf(device, server));
  await tabs[0].evaluate(() => window.clients.it.synced());
  return { server, device, tabs };
}

test('two tabs share one connection, and show the same', async (t) => {
  const { server, tabs: [leader, follower] } = await start(t);
  assert.equal(await connections(server), 1);
  await push(follower, 'from the follower');
  await has(leader, 'from the follower');
  await push(leader, 'from the leader');
  await has(follower, 'from the leader');
  await Promise.all([delivered(leader), delivered(follower)]);
  for (const page of [leader, follower]) {
    await page.waitForFunction(() => window.states('it').join() === 'synced,synced');
    const texts = await page.evaluate(() => window.texts('it'));
    assert.deepEqual(texts, ['from the leader', 'from the follower']);
    const { phase, storage, problem } = await statusOf(page);
    assert.deepEqual([phase, storage, problem], ['live', 'durable', '']);
  }
  assert.equal((await statusOf(leader)).leader, true);
  assert.equal((await statusOf(follower)).leader, false);
  assert.equal(await connections(server), 1);
});

test('a follower asks for all that there is to ask', async (t) => {
  const { tabs: [leader, follower] } = await start(t);
  const found = await follower.evaluate(async () => {
    const { it } = window.clients;
    await it.account.set({ name: 'Ada' });
    const account = await it.account.get();
    it.goOffline();
    const clientId = await it.notes.push({ text: 'offline' });
    const [pending] = await it.notes.pending();
    const refused = await it.notes.push({}).catch(({ name, code, path }) => ({ name, code, path }));
    const nobodys = '6e247327-fa96-45f5-b1f1-7e519a3300fc';
    const notFound = await it.notes.retry(nobodys).catch((e) => e.code);
    const exported = JSON.parse(await it.exportUnsynced()).unsynced.map((one) => one.clientId);
    const older = await it.notes.older();
    return { account: account.object.name, clientId, pending: pending.clientId, refused, notFound,
      exported, older };
  });
  assert.equal(found.account, 'Ada');
  assert.equal(found.pending, found.clientId);
  assert.ok(found.exported.includes(found.clientId));
  assert.equal(found.refused.code, 'invalid_object');
  assert.equal(found.notFound, 'not_found');
  assert.equal(found.older, 0);
  await leader.waitForFunction(() => window.clients.it.status.paused);
  await follower.evaluate(() => window.clients.it.goOnline());
  await delivered(follower);
  await leader.waitForFunction(() => window.clients.it.status.phase === 'live');
});

test('two clients in one page share as two tabs do', async (t) => {
  const { server, tabs: [page] } = await start(t, 1);
  await page.evaluate((url) => window.make('other', url), urlOf(server));
  await push(page, 'for both');
  await page.waitForFunction(() => window.texts('other').includes('for both'));
  await page.evaluate(() => window.clients.other.notes.push({ text: 'back' }));
  await has(page, 'back');
  assert.equal((await statusOf(page, 'other')).leader, false);
  assert.equal(await connections(server), 1);
  await page.evaluate(() => window.clients.it.close());
  await page.waitForFunction(() => window.clients.other.status.leader);
  await page.evaluate(() => window.clients.other.notes.push({ text: 'alone' }));
  await page.evaluate(() => window.clients.other.delivered());
  assert.deepEqual(await storedAt(t, server), ['for both', 'back', 'alone']);
});

test('two users on one device have nothing of each other', async (t) => {
  const { server, tabs: [page] } = await start(t, 1);
  await page.evaluate((url) => window.make('other', url), `${server.url}?user=bob`);
  await push(page, 'hers');
  await delivered(page);
  await page.evaluate(() => window.clients.other.synced());
  assert.deepEqual(await page.evaluate(() => window.texts('other')), []);
  assert.equal((await statusOf(page, 'other')).leader, true);
});

/** In the page: pushes one after the other, two at a time, until it is told to stop. */
function keepPushing(tag) {
  Object.assign(window, { asked: [], stalledMs: 0, ledAt: 0 });
  const { it } = window.clients;
  const pushOn = async () => {
    while (!window.isOver) {
      const text = `${tag} ${window.asked.length}`;
      window.asked.push(text);
      await it.notes.push({ text });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  window.pushing = Promise.all([pushOn(), pushOn()]);
  it.on('status', ({ leader }) => leader && (window.ledAt ||= Date.now()));
  // What the machine itself stood still is not the client's.
  let last = Date.now();
  setInterval(() => {
    const now = Date.now();
    window.stalledMs += Math.max(0, now - last - 50);
    last = now;
  }, 50);
}

/** Pushes are under way while `end` does something to the leader: all arrive, each once. */
async function replaced(t, end) {
  const { server, device, tabs: [leader, ...followers] } = await start(t, 3);
  const [follower, third] = followers;
  await follower.evaluate(keepPushing, 'second');
  await third.evaluate(keepPushing, 'third');
  await push(leader, 'by the first leader');
  for (const page of followers) await page.waitForFunction(() => window.asked.length > 10);
  await follower.evaluate(() => window.clients.it.account.set({ name: 'in memory only' }));

  for (const page of followers) await page.evaluate(() => (window.stalledMs = 0));
  const began = Date.now();
  const ended = end(leader, device);
  const next = await Promise.any(followers.map((page) => leads(page).then(() => page)));
  const { ledAt, stalledMs } = await next.evaluate(() =>
    ({ ledAt: window.ledAt, stalledMs: window.stalledMs }));
  const took = ledAt - began - stalledMs;
  assert.ok(took < 2000, `replaced after ${took} ms`);
  await ended;

  const asked = ['by the first leader'];
  for (const page of followers) {
    await page.evaluate(() => (window.isOver = true));
    await deadline(page.evaluate(() => window.pushing), () => 'a push was never answered');
    await deadline(delivered(page), () => 'never delivered');
    asked.push(...await page.evaluate(() => window.asked));
  }
  const stored = await storedAt(t, server);
  assert.deepEqual(stored.toSorted(), asked.toSorted());
  const name = await follower.evaluate(async () =>
    (await window.clients.it.account.get()).object.name);
  assert.equal(name, 'in memory only');
  return { server, device, leader, follower, third };
}

test('a leader that is closed is replaced, with nothing lost and nothing twice', async (t) => {
  await replaced(t, (leader) => leader.close());
});

test('a leader that crashes is replaced, with nothing lost and nothing twice', async (t) => {
  await replaced(t, async (leader) => {
    leader.goto('chrome://crash').catch(() => {});
    await leader.waitForEvent('crash');
    takeComplaints(leader);
  });
});

test('a leader that navigates away is replaced, and comes back as a follower', async (t) => {
  const { server, leader, follower } = await replaced(t, (page) => page.goto('about:blank'));
  await leader.goBack(); // from the back/forward cache, or anew
  await leader.waitForFunction(() => window.ready);
  await leader.evaluate((url) => window.clients.it ?? window.make('it', url), urlOf(server));
  await push(leader, 'back again');
  await has(follower, 'back again');
  assert.equal((await statusOf(leader)).leader, false);
});

test('a leader that hangs is replaced within 2 s, and is a follower then', async (t) => {
  const { leader, follower } = await replaced(t, (page) => page.evaluate(() => window.busy(4000)));
  await leader.waitForFunction(() => !window.clients.it.status.leader);
  await push(leader, 'back again');
  await has(follower, 'back again');
  await push(follower, 'seen there');
  await has(leader, 'seen there');
});

/** Stops all of a page's JavaScript, in the midst of whatever it does. Gives what lets it go on. */
async function stop(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Debugger.enable');
  await session.send('Debugger.pause');
  return () => session.send('Debugger.disable');
}

test('a leader that stands still is replaced within 2 s, and is a follower then', async (t) => {
  let goOn;
  const end = async (page) => (goOn = await stop(page));
  const { leader, follower, server } = await replaced(t, end);
  await goOn();
  await push(leader, 'thawed');
  await has(follower, 'thawed');
  assert.equal((await statusOf(leader)).leader, false);
  await until(async () => (await connections(server)) === 1, 'one connection');
});

test('a leader that is told that it will be frozen lets go at once', async (t) => {
  let goOn;
  const tell = (page, event) =>
    page.evaluate((name) => void document.dispatchEvent(new Event(name)), event);
  const { leader, follower } = await replaced(t, async (page) => {
    await tell(page, 'freeze');
    goOn = await stop(page);
  });
  await goOn();
  await tell(leader, 'resume');
  await push(leader, 'thawed');
  await has(follower, 'thawed');
  await push(follower, 'seen there');
  await has(leader, 'seen there');
});

test('a tab that was away shows what happened meanwhile', async (t) => {
  const { tabs: [leader, follower] } = await start(t);
  const goOn = await stop(follower);
  for (let i = 0; i < 30; i++) await push(leader, `${i}`);
  await goOn();
  await follower.waitForFunction(() => window.texts('it').length === 30);
});

test('followers of a leader that only sleeps in the background still get answers', async (t) => {
  const { tabs: [leader, follower] } = await start(t);
  await follower.bringToFront();
  await push(follower, 'one');
  await delivered(follower);
  assert.equal((await statusOf(leader)).leader, true);
});

test('pages with other stores do not talk, and the second one takes over', async (t) => {
  const todo = { ...chatStores[2], name: 'todo' };
  const { server, device, tabs: [old] } = await start(t, 1, { stores: [...chatStores, todo] });
  const page = await openPage(device, pages.url);
  await page.waitForFunction(() => window.ready);
  const loose = { more: 'todo' };
  await page.evaluate(([url, more]) => window.make('it', url, more), [urlOf(server), loose]);
  const { storage, problem, leader } =
    await page.waitForFunction(() => window.clients.it.status.problem && window.clients.it.status)
      .then((handle) => handle.jsonValue());
  assert.equal(storage, 'memory');
  assert.match(problem, /another version/);
  assert.equal(leader, true);
  await push(old, 'by the old one');
  await has(page, 'by the old one'); // by the server
  await push(page, 'by the new one');
  await has(old, 'by the new one');
  await page.evaluate(() => window.clients.it.goOffline());
  await push(page, 'unsynced');
  await old.close();
  await page.waitForFunction(() => window.clients.it.status.storage === 'durable');
  assert.equal((await statusOf(page)).problem, '');
  await page.evaluate(() => window.clients.it.goOnline());
  await page.evaluate(() => window.clients.it.synced());
  await delivered(page);
  const all = 'unsynced,by the new one,by the old one';
  await page.waitForFunction((texts) => window.texts('it').join() === texts, all);
});

test('what others say on the channel does no harm', async (t) => {
  const { tabs: [leader, follower] } = await start(t);
  await follower.evaluate(async () => {
    const [{ name }] = await indexedDB.databases();
    const channel = new BroadcastChannel(name);
    const heard = new Promise((resolve) => {
      channel.onmessage = ({ data }) => resolve(data.version);
    });
    channel.postMessage({ syncdb: true, version: 'another', type: 'ping' });
    const version = await heard;
    const head = { syncdb: true, version };
    const ask = (ask) => channel.postMessage({ ...head, type: 'ask', from: 'x', n: 1, ask });
    for (const nonsense of [null, 1, 'x', [], {}, head, { ...head, type: 'surprise' }])
      channel.postMessage(nonsense);
    for (const nonsense of [null, 1, {}, { kind: 'push' }, { kind: 'list', store: 99, limit: 1 },
      { kind: 'push', store: 2, object: '{"text":', clientId: 'x' }]) ask(nonsense);
    for (const items of [1, 'x', [null], [{}], [{ type: 'change', store: 99, kind: 'put' }],
      [{ type: 'answer', to: 1, n: 'x' }]])
      channel.postMessage({ ...head, type: 'leader', term: 0, seq: 1, begun: true, items });
  });
  await push(follower, 'all is well');
  await has(leader, 'all is well');
  await delivered(follower);
});

test('without locks a tab is on its own', async (t) => {
  const server = await serve(t);
  const device = await newDevice(t, browser);
  await device.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'locks', { value: undefined });
  });
  const page = await tabOf(device, server);
  await push(page, 'alone');
  await delivered(page);
  const { leader, storage } = await statusOf(page);
  assert.deepEqual({ leader, storage }, { leader: true, storage: 'durable' });
});

