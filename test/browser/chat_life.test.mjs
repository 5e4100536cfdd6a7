// The chat's page: the life of a message, on one device and on several.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connectSynced } from '../e2e/support/client.mjs';
import { suiteCleanup } from '../e2e/support/cleanup.mjs';
import { temporaryFolder } from '../e2e/support/server.mjs';
import { newDevice, startBrowser } from './support/browser.mjs';
import { answers, message, openChat, say, shown, startChat } from './support/chat.mjs';
import { ofType, tamper, untilShown } from './support/chat.mjs';

const ALL = ['chatMessage', 'account'];
const suite = suiteCleanup();
let browser;

before(async () => (browser = await startBrowser(suite)));
after(() => suite.end());

/** Remembers each state that a message of the page is seen in, from now on. */
const recordStates = (page) =>
  page.evaluate(() => {
    window.states = [];
    const look = () => {
      for (const element of document.querySelectorAll('.message')) {
        const text = element.querySelector('.bubble').textContent;
        const state = `${element.className} ${text}`;
        if (!window.states.includes(state)) window.states.push(state);
      }
    };
    const options = { subtree: true, childList: true, attributes: true, characterData: true };
    new MutationObserver(look).observe(document.body, options);
  });

test('a message is there at once, greyed; then sent, and answered word by word', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const page = await openChat(await newDevice(t, browser), server);
  await page.getByText('Say hello').waitFor();
  await recordStates(page);
  await say(page, 'hi');
  await answers(page).waitFor();

  const states = await page.evaluate(() => window.states);
  assert.deepEqual(states.slice(0, 2), ['message own pending hi', 'message own synced hi']);
  const growing = states.filter((s) => s.startsWith('message other partial '));
  assert.ok(growing.length >= 5, states.join('\n'));
  const whole = await answers(page).locator('.bubble').textContent();
  for (const state of growing)
    assert.ok(`message other partial ${whole}`.startsWith(state), state);
  assert.match(whole, /^Hello, how can I help you\?/);

  assert.deepEqual((await shown(page)).map(({ own, text }) => [own, text]), [
    [true, 'hi'],
    [false, whole],
  ]);
  assert.equal(await page.getByLabel('Message', { exact: true }).inputValue(), '');
  const field = page.getByLabel('Message', { exact: true });
  assert.ok(await field.evaluate((e) => e.matches(':focus')));
  const said = await page.locator('.log [role=status]').textContent();
  assert.match(said, /^The assistant said: Hello/);
});

test('Shift and Enter begin a new line, and no message is empty', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const page = await openChat(await newDevice(t, browser), server);
  await page.getByLabel('Message', { exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.type('  ');
  await page.keyboard.press('Enter');
  await page.keyboard.type('one');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  await page.keyboard.press('Enter');
  await message(page, /^one\ntwo$/, 'synced').waitFor();
  assert.equal((await shown(page)).filter(({ own }) => own).length, 1);
});

test('two devices show the same: messages, answers, removes and the name', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const first = await openChat(await newDevice(t, browser), server);
  const second = await openChat(await newDevice(t, browser), server);
  await say(first, 'from the first');
  await untilShown(second, 'from the first');
  await say(second, 'from the second');
  await untilShown(first, 'from the second');
  for (const page of [first, second]) await answers(page).nth(1).waitFor();
  assert.deepEqual(await shown(first), await shown(second));

  await first.getByRole('button', { name: /add your name/ }).click();
  await first.getByLabel('Your name').fill('Ada Lovelace');
  await first.keyboard.press('Enter');
  await second.getByRole('button', { name: /^Ada Lovelace/ }).waitFor();
  await first.getByRole('button', { name: /^Ada Lovelace/ }).waitFor();
  assert.ok(
    await first.getByRole('button', { name: /^Ada/ }).evaluate((e) => e.matches(':focus')),
    'the focus is back where the name is',
  );

  const mine = message(second, 'from the second');
  await mine.hover();
  await mine.getByRole('button', { name: 'Delete this message' }).click();
  await message(first, 'from the second').waitFor({ state: 'detached' });
  assert.equal(await message(second, 'from the second').count(), 0);
  assert.deepEqual(await shown(first), await shown(second));
});

test('another user sees none of it', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  const ada = await openChat(device, server, 'ada');
  const bob = await openChat(device, server, 'bob');
  await say(ada, 'for me alone');
  await answers(ada).waitFor();
  await say(bob, 'and this for me');
  await answers(bob).waitFor();
  assert.equal(await message(bob, 'for me alone').count(), 0);
  assert.equal(await message(ada, 'and this for me').count(), 0);
});

test('a device that comes in the middle of an answer sees it grow', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const first = await openChat(await newDevice(t, browser), server);
  // Answers come one after the other, so that some are to come when the other page is there.
  for (let i = 0; i < 6; i++) await say(first, `message ${i}`);
  const joined = await openChat(await newDevice(t, browser), server, 'ada', null);
  const growing = await joined.waitForFunction(() => {
    const element = document.querySelector('.message.other.partial');
    const text = element?.querySelector('.bubble').textContent ?? '';
    return text.length > 0 && text.length < 100 ? { key: element.dataset.key, text } : null;
  });
  const { key, text } = await growing.jsonValue();
  const whole = joined.locator(`.message.other.synced[data-key="${key}"] .bubble`);
  await whole.waitFor();
  const content = await whole.textContent();
  assert.ok(content.length > 100 && content.startsWith(text), `${text} became ${content}`);
  for (const page of [first, joined]) await answers(page).nth(5).waitFor();
  assert.deepEqual(await shown(joined), await shown(first));
});

test('what a rule or the schema refuses is not sent, and says why', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  const sent = [];
  await tamper(device, (text) => {
    sent.push(text);
    return text;
  });
  const page = await openChat(device, server);
  await page.getByRole('button', { name: /add your name/ }).click();
  await page.getByLabel('Your name').evaluate((e) => e.removeAttribute('maxlength'));
  await page.getByLabel('Your name').fill('x'.repeat(101)); // the C file says at most 100
  await page.keyboard.press('Enter');
  await page.locator('.account-problem', { hasText: /\w/ }).waitFor();

  await say(page, 'x'.repeat(300_000));
  await page.getByText('Not sent: it is too long').waitFor();
  const field = page.getByLabel('Message', { exact: true });
  assert.equal((await field.inputValue()).length, 300_000, 'what was written is still there');
  await field.fill('shorter');
  await page.keyboard.press('Enter');
  await untilShown(page, 'shorter');
  assert.equal(await page.locator('.composer-problem').textContent(), '');
  assert.deepEqual(ofType(sent, 'update').map(({ data }) => data.object.content), ['shorter']);
});

test('what the server refuses is shown with its words, and can be discarded', async (t) => {
  const server = await startChat(t, temporaryFolder(t));
  const device = await newDevice(t, browser);
  // A client that was tampered with: it sends what its own rule would have refused.
  await tamper(device, (text) => text.replace('"role":"user"', '"role":"assistant"'));
  const page = await openChat(device, server);
  await say(page, 'I am the server');
  const failed = message(page, 'I am the server', 'failed');
  await failed.getByText('Not sent: Only user messages can be created!').waitFor();
  const elsewhere = await connectSynced(t, server, 'ada', ALL);
  assert.deepEqual(elsewhere.synced.events, []);
  await failed.getByRole('button', { name: 'Discard' }).click();
  await page.getByText('Say hello').waitFor();
  await page.reload();
  await page.getByText('Say hello').waitFor();
});
