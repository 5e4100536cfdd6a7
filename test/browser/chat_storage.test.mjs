// The chat's page and what the browser keeps for it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { suiteCleanup } from '../e2e/support/cleanup.mjs';
import { temporaryFolder } from '../e2e/support/server.mjs';
import { newDevice, openPage, startBrowser, startProfile } from './support/browser.mjs';
import { SOCKET, answers, message, openChat, say, shown, startChat } from './support/chat.mjs';
import { lineOf, tryNow, untilShown } from './support/chat.mjs';

const MEMORY = 'This browser keeps nothing for this page';
const suite = suiteCleanup();
let browser;

before(async () => (browser = await startBrowser(suite)));
after(() => suite.end());

test('where IndexedDB is refused the chat works, and says that nothing is kept', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  await device.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('refused for this test', 'SecurityError');
    };
  });
  const page = await openChat(device, server);
  await page.getByText(MEMORY).waitFor();
  await say(page, 'hi');
  await answers(page).waitFor();
  await page.reload();
  await untilShown(page, 'hi'); // from the server
  await page.getByText(MEMORY).waitFor();
});

test('data that is deleted under the page: it goes on, and loses nothing', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  const line = await lineOf(device);
  const page = await openChat(device, server);
  await say(page, 'hi');
  await answers(page).waitFor();
  line.away = true;
  await page.evaluate(async () => {
    for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name);
  });
  await page.getByText(MEMORY).waitFor();
  await say(page, 'written without a disk');
  await message(page, 'written without a disk').waitFor();
  line.away = false;
  await tryNow(page);
  await untilShown(page, 'written without a disk');
  await untilShown(page, 'hi');
});

/** Rewrites the page's database as version 1 of the format was: all rows in one object store. */
async function toFormatOne() {
  const done = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const [{ name }] = await indexedDB.databases();
  const db = await done(indexedDB.open(name));
  const rows = [];
  for (const table of db.objectStoreNames) {
    const store = db.transaction(table).objectStore(table);
    const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
    keys.forEach((key, at) => rows.push([[table, ...key], values[at]]));
  }
  db.close();
  await done(indexedDB.deleteDatabase(name));
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    const store = request.result.createObjectStore('rows');
    for (const [key, value] of rows) store.put(value, key);
  };
  (await done(request)).close();
  return rows.length;
}

test('what an older version of the page stored is there, and goes on', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  const line = await lineOf(device);
  const page = await openChat(device, server);
  await say(page, 'hi');
  await answers(page).waitFor();
  line.away = true;
  await page.reload();
  await say(page, 'not sent yet');
  await message(page, 'not sent yet', 'pending').waitFor();
  const before = await shown(page);
  await page.close();

  const blank = await openPage(device, `${server.http}/healthz`);
  assert.ok((await blank.evaluate(toFormatOne)) >= 4);
  await blank.close();

  const again = await openChat(device, server, 'ada', null);
  await message(again, 'not sent yet', 'pending').waitFor();
  assert.deepEqual(await shown(again), before);
  assert.equal(await again.getByText(MEMORY).count(), 0);
  line.away = false;
  await tryNow(again);
  await untilShown(again, 'not sent yet');
  await untilShown(again, 'hi');
});

test('a browser that is killed comes back with what was written', async (t) => {
  const folder = temporaryFolder(t);
  const server = await startChat(t, folder);
  const blocked = (socket) => socket.close({ code: 1001 });
  const first = await startProfile(t, `${folder}/profile`);
  await first.routeWebSocket(SOCKET, blocked);
  const page = await openChat(first, server, 'ada', null);
  await say(page, 'kept over everything');
  await message(page, 'kept over everything', 'pending').waitFor();
  const closed = new Promise((resolve) => first.once('close', resolve));
  const session = await first.newCDPSession(page);
  session.send('Browser.crash').catch(() => {}); // it cannot answer
  await closed;
  const second = await startProfile(t, `${folder}/profile`);
  const again = await openChat(second, server);
  await untilShown(again, 'kept over everything');
});
