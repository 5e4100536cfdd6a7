// The chat's page as it looks, reads and moves. What it looks like is for people to judge: pictures
// are left in build/screenshots.
import assert from 'node:assert/strict';
import axe from 'axe-core';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { connectSynced } from '../e2e/support/client.mjs';
import { suiteCleanup } from '../e2e/support/cleanup.mjs';
import { startServer, temporaryFolder } from '../e2e/support/server.mjs';
import { until } from '../e2e/support/wait.mjs';
import { newDevice, openPage, startBrowser } from './support/browser.mjs';
import { answers, message, openChat, say, startChat, tamper, untilPhase } from './support/chat.mjs';
import { untilShown } from './support/chat.mjs';
import { root } from './support/pages.mjs';

const PICTURES = path.join(root, 'build/screenshots');
const ALL = ['chatMessage', 'account'];
const SIZES = {
  phone: { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true },
  desktop: { viewport: { width: 1200, height: 800 } },
};
const suite = suiteCleanup();
let browser;

before(async () => {
  browser = await startBrowser(suite);
  mkdirSync(PICTURES, { recursive: true });
});
after(() => suite.end());

/** No violation of WCAG 2.2 A and AA that can be found by a program. */
async function assertAccessible(page, what) {
  await page.evaluate(axe.source);
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const { violations } = await page.evaluate((values) =>
    window.axe.run({ runOnly: { type: 'tag', values } }), tags);
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(' ')}`);
  assert.deepEqual(found, [], what);
}

/** A chat with some messages: sent, refused, on their way, and an answer that is being written. */
async function fullChat(t, options) {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser, options);
  let refused = false;
  let lost = false;
  await tamper(device, (text) => {
    if (lost && text.includes('"update"')) return null;
    return refused ? text.replace('"role":"user"', '"role":"assistant"') : text;
  });
  const page = await openChat(device, server);
  await page.getByRole('button', { name: /add your name/ }).click();
  await page.getByLabel('Your name').fill('Ada Lovelace');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: /^Ada Lovelace/ }).waitFor();
  const question = 'Does this keep working while I am on a train?';
  await say(page, question);
  await untilShown(page, question);
  await answers(page).waitFor();
  refused = true;
  await say(page, 'Pretend that I am the assistant.');
  await message(page, 'Pretend that I am the assistant.', 'failed').waitFor();
  refused = false;
  await say(page, 'And what if two devices write at once?');
  await answers(page, 'partial').waitFor();
  lost = true;
  await say(page, 'This one is still on its way.');
  await message(page, 'This one is still on its way.', 'pending').waitFor();
  return { server, page };
}

for (const [size, options] of Object.entries(SIZES)) {
  for (const colorScheme of ['light', 'dark']) {
    test(`pictures and accessibility: ${size}, ${colorScheme}`, async (t) => {
      const looks = { ...options, colorScheme };
      const picture = (name) => path.join(PICTURES, `${name}-${size}-${colorScheme}.png`);
      const { server, page } = await fullChat(t, looks);
      await page.screenshot({ path: picture('chat') });
      await assertAccessible(page, 'chat');
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.screenshot({ path: picture('sign-out') });
      await assertAccessible(page, 'sign out');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: /^Ada Lovelace/ }).click();
      await assertAccessible(page, 'name');
      await page.keyboard.press('Escape');
      await server.kill();
      await page.getByText('You are offline').waitFor();
      await page.screenshot({ path: picture('offline') });
      await assertAccessible(page, 'offline');
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(width, options.viewport.width, 'nothing is wider than the window');
    });
  }
}

test('pictures and accessibility: nobody signed in, nothing said', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  for (const [size, options] of Object.entries(SIZES)) {
    const page = await openPage(await newDevice(t, browser, options), server.http);
    await page.getByLabel('Your name').waitFor();
    await page.screenshot({ path: path.join(PICTURES, `sign-in-${size}.png`) });
    await assertAccessible(page, 'sign in');
    await page.keyboard.type('ada'); // the field has the focus
    await page.keyboard.press('Enter');
    await untilPhase(page, 'Live');
    await page.getByText('Say hello').waitFor();
    assert.match(page.url(), /\?user=ada$/);
    await page.screenshot({ path: path.join(PICTURES, `empty-${size}.png`) });
    await assertAccessible(page, 'empty');
    const again = await openPage(page.context(), server.http); // it is remembered
    await untilPhase(again, 'Live');
    assert.match(again.url(), /\?user=ada$/);
  }
});

test('the keyboard reaches everything, in the order of the page', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const page = await openChat(await newDevice(t, browser), server);
  await say(page, 'hi');
  await answers(page).waitFor();
  const field = page.getByLabel('Message', { exact: true });
  const reached = [];
  do {
    await page.keyboard.press('Tab');
    const name = await page.evaluate(() => {
      const { activeElement: e } = document;
      return e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent;
    });
    reached.push(name);
  } while (!(await field.evaluate((e) => e.matches(':focus'))));
  const order = ['ada: add your name', 'Sign out', 'Messages', 'Delete this message', 'Message'];
  assert.deepEqual(reached.slice(-5), order); // before that, it left the page

  await page.keyboard.press('Shift+Tab');
  const remove = page.getByRole('button', { name: 'Delete this message' });
  const opacity = () => remove.evaluate((e) => getComputedStyle(e).opacity);
  await until(async () => (await opacity()) === '1', 'a button that can be seen');
  await page.keyboard.press('Enter');
  await message(page, 'hi').waitFor({ state: 'detached' });
  assert.ok(await field.evaluate((e) => e.matches(':focus')), 'the focus is not lost');
});

// ---- scrolling ----

/** A chat of `count` messages of another device. Nobody answers: this server has no code. */
async function longChat(t, count) {
  const pages = path.join(root, 'examples/chat/web/dist');
  const server = await startServer(t, { args: ['--pages', pages] });
  const other = await connectSynced(t, server, 'ada', ALL);
  const objects = Array.from({ length: count }, (_, i) => ({ role: 'user', content: `line ${i}` }));
  await other.pushedAll('chatMessage', objects);
  const page = await openChat(await newDevice(t, browser), server);
  return { other, page };
}

const scroller = (page) => page.locator('.scroller');
const positionOf = (page, text) =>
  message(page, text).evaluate((element) => element.getBoundingClientRect().top);

test('older messages come as they are scrolled to, and nothing jumps', async (t) => {
  const { page } = await longChat(t, 200);
  await message(page, 'line 199').waitFor();
  const oldest = () => page.locator('.message.own .bubble').first().textContent();
  assert.notEqual(await oldest(), 'line 0');
  for (let turn = 0; turn < 60 && (await oldest()) !== 'line 0'; turn++) {
    await scroller(page).hover();
    await page.mouse.wheel(0, -2000);
    await page.waitForTimeout(30);
  }
  await until(async () => (await oldest()) === 'line 0', 'the oldest message');
  assert.equal(await page.locator('.older').count(), 0);
  const lines = await page.locator('.message.own .bubble').allTextContents();
  assert.deepEqual(lines, Array.from({ length: 200 }, (_, i) => `line ${i}`));
});

test('an older page that comes leaves what is read where it is', async (t) => {
  const { page } = await longChat(t, 200);
  await message(page, 'line 199').waitFor();
  const first = await page.locator('.message.own .bubble').first().textContent();
  const before = await page.locator('.message.own').count();
  await scroller(page).evaluate((e) => e.scrollTo({ top: -e.scrollHeight + e.clientHeight + 300 }));
  const top = await positionOf(page, first);
  await until(async () => (await page.locator('.message.own').count()) > before, 'an older page');
  const moved = (await positionOf(page, first)) - top;
  assert.ok(Math.abs(moved) <= 2, `it moved by ${moved} px`);
});

test('at the end it stays there; elsewhere it keeps its place, and offers the end', async (t) => {
  const { page, other } = await longChat(t, 60);
  await message(page, 'line 59').waitFor();
  const atEnd = () => scroller(page).evaluate((e) => Math.abs(e.scrollTop) < 2);
  await other.pushed('chatMessage', { role: 'user', content: 'seen at once' });
  await message(page, 'seen at once').waitFor();
  assert.ok(await atEnd());
  assert.equal(await page.locator('.jump').count(), 0);

  await scroller(page).evaluate((e) => e.scrollTo({ top: -400 }));
  await page.getByRole('button', { name: 'To the end' }).waitFor();
  const texts = await page.locator('.message.own .bubble').allTextContents();
  const reading = texts[Math.floor(texts.length / 2)];
  const top = await positionOf(page, reading);
  await other.pushed('chatMessage', { role: 'user', content: 'below\nwhat is\nread' });
  await page.getByRole('button', { name: 'New messages' }).waitFor();
  await other.pushed('chatMessage', { role: 'user', content: 'and more' });
  await message(page, 'and more').waitFor();
  const moved = (await positionOf(page, reading)) - top;
  assert.ok(Math.abs(moved) <= 2, `it moved by ${moved} px`);
  await page.getByRole('button', { name: 'New messages' }).click();
  await until(atEnd, 'the end');
  assert.equal(await page.locator('.jump').count(), 0);

  await scroller(page).evaluate((e) => e.scrollTo({ top: -400 }));
  await page.getByRole('button', { name: 'To the end' }).waitFor();
  await say(page, 'mine brings me down');
  await message(page, 'mine brings me down').waitFor();
  await until(atEnd, 'the end');
});

test('a message does not move when it is sent, and its answer only grows', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const page = await openChat(await newDevice(t, browser), server);
  await say(page, 'hi');
  await answers(page).waitFor();
  await page.evaluate(() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
      for (const { value, hadRecentInput } of list.getEntries())
        if (!hadRecentInput) window.shifts.push(value);
    }).observe({ type: 'layout-shift' });
  });
  const field = page.getByLabel('Message', { exact: true });
  const top = await field.evaluate((e) => e.getBoundingClientRect().top);
  await say(page, 'again');
  await message(page, 'again', 'pending').or(message(page, 'again', 'synced')).waitFor();
  const heights = [await message(page, 'again').evaluate((e) => e.offsetHeight)];
  await untilShown(page, 'again');
  heights.push(await message(page, 'again').evaluate((e) => e.offsetHeight));
  await answers(page).nth(1).waitFor();
  assert.equal(heights[0], heights[1]);
  assert.equal(await field.evaluate((e) => e.getBoundingClientRect().top), top);
});

test('who wants no motion gets none', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const page = await openChat(await newDevice(t, browser, { reducedMotion: 'reduce' }), server);
  await say(page, 'hi');
  await answers(page, 'partial').waitFor();
  const running = await page.evaluate(() => document.getAnimations().length);
  assert.equal(running, 0);
});

test('the page asks nobody but its own server for anything', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  const asked = [];
  device.on('request', (request) => asked.push(new URL(request.url())));
  const page = await openChat(device, server);
  await say(page, 'hi');
  await answers(page).waitFor();
  const own = new URL(server.http).host;
  assert.deepEqual(asked.filter(({ host }) => host !== own).map(String), []);
  assert.ok(asked.some(({ pathname }) => pathname.endsWith('.wasm')));
});
