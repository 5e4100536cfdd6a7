// What the other tests here stand on: a page under the promised policy, and that it is watched.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newDevice, openPage, startBrowser, takeComplaints } from './support/browser.mjs';
import { startTestPage } from './support/pages.mjs';

test('a bundled page runs, and what it throws or may not do is seen', async (t) => {
  const browser = await startBrowser(t);
  const source =
    'import { STORES } from "./js/test/storage_conformance.mjs"; window.count = STORES.length;';
  const { url } = await startTestPage(t, source);
  const page = await openPage(await newDevice(t, browser), url);
  await page.waitForFunction(() => window.ready);
  assert.equal(await page.evaluate(() => window.count), 3);
  assert.deepEqual(takeComplaints(page), []);

  await page.evaluate(() => {
    setTimeout(() => {
      Promise.reject(new Error('nobody listens'));
      throw new Error('into the page');
    });
    document.body.append(Object.assign(document.createElement('script'), { text: 'window.x = 1' }));
  });
  const said = [];
  while (said.length < 3) {
    said.push(...takeComplaints(page));
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
  }
  assert.equal(await page.evaluate(() => window.x), undefined);
  for (const words of [/into the page/, /nobody listens/, /Content Security Policy/])
    assert.ok(said.some((text) => words.test(text)), `${words} in ${said}`);
  takeComplaints(page);
});
