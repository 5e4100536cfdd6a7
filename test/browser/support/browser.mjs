// Chromium for tests: one browser a file, a context for each device, a page for each tab of it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { cleanup } from '../../e2e/support/cleanup.mjs';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const QUIET = [
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

export const executablePath = process.env.SYNCDB_CHROMIUM ?? PLACES.find((p) => existsSync(p));

/** What each page said that it should not have, by page. */
const complaints = new WeakMap();

/** A browser that lives as long as `t` (a test, or what `suiteCleanup` gives). */
export async function startBrowser(t, options = {}) {
  if (!executablePath) throw new Error('no Chromium here: tools/setup test installs it');
  const browser = await chromium.launch({ executablePath, args: QUIET, ...options });
  cleanup(t, () => browser.close());
  return browser;
}

/** A browser with a profile in `folder`, which a later one goes on with: gives its context. */
export async function startProfile(t, folder, options = {}) {
  const context = await chromium.launchPersistentContext(folder, {
    executablePath,
    args: QUIET,
    ...options,
  });
  context.on('page', watch);
  context.pages().forEach(watch);
  cleanup(t, () => context.close());
  return context;
}

/** A device: storage, locks and channels of its own, shared by its pages. */
export async function newDevice(t, browser, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(20_000);
  context.on('page', watch);
  cleanup(t, async () => {
    const pages = context.pages();
    await context.close();
    pages.forEach(assertQuiet);
  });
  return context;
}

/** A tab at `url`. */
export async function openPage(device, url) {
  const page = await device.newPage();
  await page.goto(url);
  return page;
}

function watch(page) {
  const said = [];
  complaints.set(page, said);
  // Unhandled rejections come as page errors too.
  page.on('pageerror', (error) => said.push(`thrown into the page: ${error.stack ?? error}`));
  page.on('console', (message) => {
    const text = message.text();
    // That a server is away or refuses is what many tests are about; a policy never may be broken.
    const network = /WebSocket connection to|Failed to load resource|net::ERR/.test(text);
    if (message.type() === 'error' && !network) said.push(`console: ${text}`);
    if (/Content Security Policy/i.test(text)) said.push(`policy: ${text}`);
  });
  page.on('crash', () => said.push('the page crashed'));
}

/** What `page` said that it should not have, taken off the list: for tests that expect it. */
export function takeComplaints(page) {
  return (complaints.get(page) ?? []).splice(0);
}

/** Nothing was thrown into the page, no error logged, no policy broken. */
export function assertQuiet(page) {
  assert.deepEqual(takeComplaints(page), [], page.url());
}
