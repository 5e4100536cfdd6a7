// The chat's page, served by the chat's server: what people do with it, and what they see.
import assert from 'node:assert/strict';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { binaries, startProgram } from '../../e2e/support/server.mjs';
import { openPage } from './browser.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/** The chat's server with its page; its data is in `folder`. SYNCDB_CHAT=node: the one in Node. */
export function startChat(t, folder, port = 0) {
  const options = [`sqlite://${folder}/chat.sqlite`, `${port}`];
  if (process.env.SYNCDB_CHAT !== 'node')
    return startProgram(t, path.join(binaries, 'chat'), options);
  return startProgram(t, process.execPath, [path.join(here, 'node_chat.mjs'), ...options]);
}

/** What goes over the page's WebSocket is at an address that ends so. */
export const SOCKET = /\/sync\?/;

/** The line of `device` to its server, which a test takes away and gives back: `line.away`. */
export async function lineOf(device, away = false) {
  const line = { away };
  await device.routeWebSocket(SOCKET, (socket) => {
    if (line.away) socket.close({ code: 1001 });
    else socket.connectToServer();
  });
  return line;
}

/** A tab of `user`, which is live, unless `phase` is another one (null: not waited for). */
export async function openChat(device, server, user = 'ada', phase = 'Live') {
  const page = await openPage(device, `${server.http}/?user=${encodeURIComponent(user)}`);
  if (phase) await untilPhase(page, phase);
  return page;
}

export const untilPhase = (page, phase) =>
  page.locator('.phase', { hasText: phase }).waitFor({ state: 'visible' });

/** Has the page connect at once, where it has not done so by itself meanwhile. */
export const tryNow = (page) =>
  page.getByRole('button', { name: 'Try now' }).click({ timeout: 3_000 }).catch(() => {});

/** Writes a message and sends it, with the keyboard. */
export async function say(page, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.keyboard.press('Enter');
}

/** The message that says `text`, in `state` where one is given. */
export function message(page, text, state) {
  const kind = state ? `.message.${state}` : '.message';
  const bubble = page.locator('.bubble').getByText(text, { exact: true });
  return page.locator(kind).filter({ has: bubble });
}

/** Answers: of all of them, or of those in `state`. */
export const answers = (page, state = 'synced') => page.locator(`.message.other.${state}`);

/** What is shown, oldest first: [{own, state, text}]. */
export const shown = (page) =>
  page.locator('.message').evaluateAll((all) =>
    all.map((element) => ({
      own: element.classList.contains('own'),
      state: element.dataset.state,
      text: element.querySelector('.bubble').textContent,
    })),
  );

/** Waits until `count` messages that say `text` are shown, and no more of them. */
export async function untilShown(page, text, count = 1) {
  await message(page, text, 'synced').nth(count - 1).waitFor();
  assert.equal(await message(page, text).count(), count);
}

/** The messages of type `type` in `frames`, what a socket carried. */
export const ofType = (frames, type) =>
  frames.map((text) => JSON.parse(text)).filter((m) => m.type === type);

/**
 * Puts `change` between the page and its server: called with each message of the page, it gives
 * what goes on (null: nothing does). `onServer`: the same the other way.
 */
export function tamper(pageOrDevice, change, onServer = (text) => text) {
  return pageOrDevice.routeWebSocket(SOCKET, (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((text) => {
      const sent = change(text);
      if (sent !== null) server.send(sent);
    });
    server.onMessage((text) => {
      const sent = onServer(text);
      if (sent !== null) socket.send(sent);
    });
  });
}
