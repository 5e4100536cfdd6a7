// The device's storage in Chromium's IndexedDB: the suite of behaviours, random changes, and what a
// browser does to a page's data.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { behaviours } from '../../js/test/storage_conformance.mjs';
import { suiteCleanup } from '../e2e/support/cleanup.mjs';
import { newDevice, openPage, startBrowser, startProfile } from './support/browser.mjs';
import { startTestPage } from './support/pages.mjs';

const SOURCE = `
  import * as suite from './js/test/storage_conformance.mjs';
  import { runModel } from './js/test/storage_model.mjs';
  import { deleteLocalData } from './js/dist/client/local_data.js';
  import { openIndexedDB } from './js/dist/storage/indexeddb.js';
  import { databaseName } from './js/dist/storage/name.js';

  // Makes transactions fail after some of their writes were made, or succeed again.
  const { put } = IDBObjectStore.prototype;
  function failCommits(failing) {
    IDBObjectStore.prototype.put = !failing ? put : function (...row) {
      put.apply(this, row);
      throw new DOMException('the disk is full', 'QuotaExceededError');
    };
  }

  const lost = [];
  const open = (name, stores = suite.STORES) =>
    openIndexedDB({ name, stores, onLost: (reason) => lost.push(reason) });
  let databases = 0;
  let name;
  const kind = {
    durable: true,
    failCommits,
    open: (stores) => open((name = 'kind ' + databases++), stores),
    reopen: async (storage, stores) => {
      await storage.close();
      return open(name, stores);
    },
  };
  const codeOf = (promise) => promise.then(() => null, ({ name, code, message, fenced }) =>
    ({ name, code, message, fenced }));
  const run = (name) => suite.runBehaviour(kind, name);
  Object.assign(window, suite, {
    codeOf, databaseName, deleteLocalData, kind, lost, open, run, runModel,
  });`;

const t = suiteCleanup();
let browser, pages;
test.before(async () => {
  pages = await startTestPage(t, SOURCE);
  browser = await startBrowser(t);
});
test.after(() => t.end());

/** A page of a device of its own. */
async function startPage(of, device) {
  const page = await openPage(device ?? (await newDevice(of, browser)), pages.url);
  await page.waitForFunction(() => window.ready);
  return page;
}

test('IndexedDB storage', async (of) => {
  const page = await startPage(of);
  for (const { name } of behaviours) {
    await of.test(name, () => page.evaluate((does) => window.run(does), name));
  }
  for (let seed = 1; seed <= 3; seed++) {
    await of.test(`random changes end as the model says, seed ${seed}`, () =>
      page.evaluate((from) => window.runModel(window.kind, from, 300), seed));
  }
  assert.deepEqual(await page.evaluate(() => window.lost), []);
});

// ---- versions ----

test('storage of an older format is brought to the one of today', async (of) => {
  const page = await startPage(of);
  const held = await page.evaluate(async () => {
    const { CHAT, ACCOUNT, NOTE, idOf, pendingOf, put, state } = window;
    const rows = [];
    for (let i = 0; i < 1000; i++) {
      const { id, eventId, clientId, object } = put(CHAT, i, i, `{"n":${i}}`);
      rows.push([['objects', 'chat', id], { id, eventId, clientId, object }]);
    }
    rows.push([['objects', 'account', idOf(1)], { id: idOf(1), eventId: idOf(7), object: '{}' }]);
    rows.push([['removes', 'note', idOf(3)], { id: idOf(3), eventId: idOf(9) }]);
    rows.push([['states', 'chat', ''], state(CHAT, 999, 3, [[null, idOf(0)]]).state]);
    rows.push([['pending', '', idOf(50)], { ...pendingOf(1, 50, NOTE, '{}'), store: 'note' }]);
    rows.push([['meta', '', 'database'], idOf(77)], [['meta', '', 'generation'], 5]);
    await new Promise((resolve, reject) => {
      const request = indexedDB.open('old', 1);
      request.onupgradeneeded = () => {
        const store = request.result.createObjectStore('rows');
        for (const [key, value] of rows) store.put(value, key);
      };
      request.onsuccess = () => resolve(request.result.close());
      request.onerror = () => reject(request.error);
    });
    const storage = await window.open('old');
    const page = await storage.page(CHAT, undefined, 2000);
    const [note] = await storage.commit([put(NOTE, 3, 9, 'held off')]);
    const result = {
      load: await storage.load(), chat: [page.length, page[0], page[999]], note,
      account: await storage.object(ACCOUNT),
    };
    await storage.close();
    const [{ version }] = (await indexedDB.databases()).filter(({ name }) => name === 'old');
    await (await window.open('old')).close();
    return { ...result, version };
  });
  const id = (n) => `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
  const chat = (n) => ({
    id: id(n), eventId: id(n), clientId: id(n + 1000000), object: `{"n":${n}}`,
  });
  const never = { head: null, wanted: 0, missing: [] };
  assert.deepEqual(held, {
    version: 2,
    load: {
      database: id(77),
      states: [{ head: id(999), wanted: 3, missing: [[null, id(0)]] }, never, never],
      pending: [{
        position: 1, clientId: id(50), store: 1, action: 'create', createdMs: 1700000000000,
        object: '{}',
      }],
    },
    chat: [1000, chat(999), chat(0)],
    note: { applied: false, store: 1 },
    account: { id: id(1), eventId: id(7), object: '{}' },
  });
});

test('storage of a newer format is refused, and stays as it is', async (of) => {
  const page = await startPage(of);
  const [error, version] = await page.evaluate(async () => {
    await new Promise((resolve) => {
      const request = indexedDB.open('new', 99);
      request.onsuccess = () => resolve(request.result.close());
    });
    const refused = await window.codeOf(window.open('new'));
    return [refused, (await indexedDB.databases())[0].version];
  });
  assert.equal(error.code, 'bad_format');
  assert.match(error.message, /newer version/);
  assert.equal(version, 99);
});

test('a newer page gets the storage at once, and this one is told', async (of) => {
  const device = await newDevice(of, browser);
  const old = await startPage(of, device);
  const next = await startPage(of, device);
  await old.evaluate(async () => (window.storage = await window.open('a')));
  const version = await next.evaluate(() => new Promise((resolve, reject) => {
    const request = indexedDB.open('a', 99);
    request.onsuccess = () => resolve(request.result.version);
    request.onerror = () => reject(request.error);
  }));
  assert.equal(version, 99);
  const [lost, ...errors] = await old.evaluate(async () => [window.lost,
    await window.codeOf(window.storage.commit([window.put(0, 1, 1, '{}')])),
    await window.codeOf(window.storage.page(0, undefined, 5)),
    await window.codeOf(window.storage.sync()), await window.codeOf(window.open('a'))]);
  assert.deepEqual(lost, ['a newer version of the page took the local database']);
  assert.deepEqual(errors.map(({ name, code }) => `${name} ${code}`),
    ['StorageError io', 'StorageError io', 'StorageError io', 'StorageError bad_format']);
});

test('a page that does not let go is waited for, but not for ever', async (of) => {
  const device = await newDevice(of, browser);
  const holder = await startPage(of, device);
  const page = await device.newPage();
  await page.clock.install();
  await page.goto(pages.url);
  await page.waitForFunction(() => window.ready);
  await holder.evaluate(() => new Promise((resolve) => {
    const request = indexedDB.open('a', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('rows');
    request.onsuccess = () => resolve(void (window.held = request.result));
  }));
  await page.evaluate(() => void (window.opening = window.codeOf(window.open('a'))));
  await page.clock.fastForward(9_000);
  assert.equal(await page.evaluate(() => Promise.race([window.opening, 'waits'])), 'waits');
  await page.clock.fastForward(2_000);
  const error = await page.evaluate(() => window.opening);
  assert.equal(error.code, 'busy');
  // What was given up then stands in nobody's way.
  await holder.evaluate(() => window.held.close());
  assert.equal(await page.evaluate(async () => (await window.open('a')).durable), true);
  assert.equal(await holder.evaluate(async () => (await window.open('a')).durable), true);
});

// ---- leaders ----

test('who opens the storage leads: an earlier opening writes no more', async (of) => {
  const device = await newDevice(of, browser);
  const first = await startPage(of, device);
  const second = await startPage(of, device);
  await first.evaluate(async () => {
    window.storage = await window.open('a');
    await window.storage.commit([window.put(0, 1, 1, 'first')]);
  });
  await second.evaluate(async () => (window.storage = await window.open('a')));
  const errors = await first.evaluate(async () => [
    await window.codeOf(window.storage.commit([window.put(0, 2, 2, 'late')])),
    await window.codeOf(window.storage.sync())]);
  for (const error of errors) {
    assert.deepEqual({ ...error, message: '' },
      { name: 'StorageError', code: 'io', fenced: true, message: '' });
    assert.match(error.message, /another tab/);
  }
  const objects = await second.evaluate(async () => {
    await window.storage.commit([window.put(0, 3, 3, 'second')]);
    return (await window.storage.page(0, undefined, 9)).map(({ object }) => object);
  });
  assert.deepEqual(objects, ['second', 'first']);
  assert.deepEqual(await first.evaluate(() => window.lost), []);
});

// ---- what a browser does to a page's data ----

test('where the browser refuses a page storage, opening fails', async (of) => {
  const page = await startPage(of);
  const open = await startTestPage(of, SOURCE, {
    policy: null,
    headers: { 'access-control-allow-origin': '*' },
    files: { '/frame': '<!doctype html><iframe sandbox="allow-scripts" src="/"></iframe>' },
  });
  await page.goto(`${open.url}frame`);
  const frame = page.frame({ url: open.url });
  await frame.waitForFunction(() => window.ready);
  const error = await frame.evaluate(() => window.codeOf(window.open('a')));
  assert.deepEqual([error.name, error.code], ['StorageError', 'io']);
  assert.match(error.message, /SecurityError/);
  const where = { url: 'wss://example.org/sync', user: 'alice' };
  const deleted = await frame.evaluate((of) => window.codeOf(window.deleteLocalData(of)), where);
  assert.equal(deleted.code, 'io');
});

test('over the quota a commit fails and leaves nothing; a smaller one goes on', async (of) => {
  const page = await startPage(of);
  const cdp = await page.context().newCDPSession(page);
  const { origin } = new URL(pages.url);
  await cdp.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 5_000_000 });
  const [error, ...counts] = await page.evaluate(async () => {
    const storage = await window.open('a');
    const count = async () => (await storage.page(0, undefined, 99)).length;
    await storage.commit([window.put(0, 1, 1, 'small')]);
    const large = Array.from({ length: 20 }, (_, i) =>
      window.put(0, i + 2, i + 2, `${Math.random()}`.repeat(30_000)));
    const refused = await window.codeOf(storage.commit(large));
    const before = await count();
    await storage.commit(large.slice(0, 1));
    return [refused, before, await count(), window.lost.length];
  });
  assert.deepEqual([error.name, error.code, error.fenced], ['StorageError', 'io', false]);
  assert.match(error.message, /Quota/);
  assert.deepEqual(counts, [1, 2, 0]);
});

test('data that the browser takes away is told, and is made anew', async (of) => {
  const page = await startPage(of);
  const cdp = await page.context().newCDPSession(page);
  await page.evaluate(async () => {
    window.storage = await window.open('a');
    await window.storage.commit([window.put(0, 1, 1, '{}')]);
  });
  const origin = new URL(pages.url).origin;
  await cdp.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' });
  await page.waitForFunction(() => window.lost.length > 0);
  const [lost, error, objects] = await page.evaluate(async () => [window.lost,
    await window.codeOf(window.storage.commit([window.put(0, 2, 2, '{}')])),
    await (await window.open('a')).page(0, undefined, 9)]);
  assert.equal(lost.length, 1);
  assert.match(lost[0], /took the local database away|was deleted/);
  assert.equal(error.code, 'io');
  assert.deepEqual(objects, []);
});

test("deleting a user's local data takes it from all pages, and no other's", async (of) => {
  const device = await newDevice(of, browser);
  const page = await startPage(of, device);
  const other = await startPage(of, device);
  const open = async (user) => {
    const name = window.databaseName(user, 'wss://example.org/sync?token=secret');
    window.storage = await window.open(name);
    await window.storage.commit([window.put(0, 1, 1, '{}')]);
    return name;
  };
  assert.equal(await page.evaluate(open, 'alice'), 'syncdb wss://example.org/sync alice');
  await other.evaluate(open, 'bob');
  await other.evaluate(() =>
    window.deleteLocalData({ url: 'https://example.org/sync?token=other', user: 'alice' }));
  await page.waitForFunction(() => window.lost.length > 0);
  assert.deepEqual(await page.evaluate(() => window.lost), ['the local data was deleted']);
  assert.deepEqual(await other.evaluate(() => window.lost), []);
  const names = await page.evaluate(async () => (await indexedDB.databases()).map((db) => db.name));
  assert.deepEqual(names, ['syncdb wss://example.org/sync bob']);
  // Where there is none, nothing is to be done.
  await page.evaluate(() => window.deleteLocalData({ url: 'wss://example.org', user: 'nobody' }));
});

/** The processes of the browser with a profile in `folder`. */
function processesOf(folder) {
  return readdirSync('/proc').filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return /^\d+$/.test(pid) && command.includes(`--user-data-dir=${folder}\0`);
    } catch {
      return false;
    }
  }).map(Number);
}

test('what was committed is there after the browser was killed', async (of) => {
  const folder = await mkdtemp(join(tmpdir(), 'syncdb-profile-'));
  of.after(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }));
  const first = await startProfile(of, folder);
  const page = await startPage(of, first);
  await page.evaluate(async () => {
    const storage = await window.open('a');
    await storage.commit([window.put(0, 1, 1, '{"n":1}'), window.state(0, 1),
      window.pendingPut(window.pendingOf(1, 9, 0, '{"n":2}'))]);
    await storage.commit([window.put(0, 2, 2, '{"n":2}')]);
  });
  const closed = once(first, 'close');
  const pids = processesOf(folder);
  assert.ok(pids.length > 0);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error; // it went with another
    }
  }
  await closed;
  const again = await startPage(of, await startProfile(of, folder));
  const [objects, load] = await again.evaluate(async () => {
    const storage = await window.open('a');
    const page = await storage.page(0, undefined, 9);
    return [page.map(({ object }) => object), await storage.load()];
  });
  assert.deepEqual(objects, ['{"n":2}', '{"n":1}']);
  assert.equal(load.states[0].head, '00000000-0000-7000-8000-000000000001');
  assert.equal(load.pending[0].object, '{"n":2}');
});
