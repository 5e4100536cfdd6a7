// A folder of pages that `syncdb serve --pages` answers with.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { connectSynced } from './support/client.mjs';
import { rawSocket } from './support/raw.mjs';
import { run, serveArguments, startServer, temporaryFolder } from './support/server.mjs';

const INDEX = '<!doctype html><title>chat</title>';
const SCRIPT = 'export const a = 1;\n'.repeat(1000);
const WASM = Buffer.concat([Buffer.from('\0asm\x01\0\0\0'), randomBytes(3_000_000)]);

/** Writes {name: content} and gives the folder. */
function writePages(t, files) {
  const folder = temporaryFolder(t);
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.join(folder, path.dirname(name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), content);
  }
  return folder;
}

const start = (t, folder, args = []) =>
  startServer(t, { args: ['--pages', folder, ...args] });

/** A raw request, as no fetch would send it: {status, head, body}. */
async function ask(t, server, target, headers = '', method = 'GET') {
  const raw = rawSocket(t, server);
  raw.write(`${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`);
  const all = await raw.rest();
  const end = all.indexOf('\r\n\r\n');
  const head = all.subarray(0, end).toString();
  return { status: Number(head.split(' ')[1]), head, body: all.subarray(end + 4) };
}

test('the files of the folder are served by their types, and nothing else is', async (t) => {
  const folder = writePages(t, {
    'index.html': INDEX,
    'assets/index-BxT3_k9z.js': SCRIPT,
    'assets/core-0123abcd.wasm': WASM,
    'docs/index.html': 'docs',
    'empty.css': '',
    'no extension': 'x',
    'größe [1]+2.txt': 'größe',
    '.env': 'SECRET',
    '.git/config': 'SECRET',
  });
  const server = await start(t, folder);
  const expected = {
    '/': ['text/html; charset=utf-8', INDEX],
    '/index.html?user=ada': ['text/html; charset=utf-8', INDEX],
    '/docs/': ['text/html; charset=utf-8', 'docs'],
    '/assets/index-BxT3_k9z.js': ['text/javascript; charset=utf-8', SCRIPT],
    '/empty.css': ['text/css; charset=utf-8', ''],
    '/no%20extension': ['application/octet-stream', 'x'],
    '/gr%C3%B6%C3%9Fe [1]+2.txt': ['text/plain; charset=utf-8', 'größe'],
  };
  for (const [target, [type, body]] of Object.entries(expected)) {
    const answer = await fetch(server.http + target);
    assert.equal(answer.status, 200, target);
    assert.equal(answer.headers.get('content-type'), type, target);
    assert.equal(await answer.text(), body, target);
  }
  const wasm = await fetch(`${server.http}/assets/core-0123abcd.wasm`);
  assert.equal(wasm.headers.get('content-type'), 'application/wasm');
  assert.ok(WASM.equals(Buffer.from(await wasm.arrayBuffer())));

  for (const target of ['/docs', '/assets/', '/.env', '/.git/config', '/nothing', '/index.htm'])
    assert.equal((await fetch(server.http + target)).status, 404, target);
  assert.equal(await (await fetch(`${server.http}/healthz`)).text(), 'ok\n');
  assert.match(await (await fetch(`${server.http}/metrics`)).text(), /syncdb/);
  await connectSynced(t, server, 'ada', ['chatMessage', 'account', 'note']);
});

test('no path leads out of the folder', async (t) => {
  const folder = writePages(t, { 'pages/index.html': INDEX, 'secret.txt': 'SECRET' });
  const server = await start(t, path.join(folder, 'pages'));
  const targets = [
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/..%5csecret.txt',
    '/./index.html',
    '//index.html',
    '/pages/../../secret.txt',
    `/${folder}/secret.txt`,
    '/index.html%00.js',
    '/index.html%',
    '/index.html%0',
    '/index.html%zz',
    `/${'a/'.repeat(2000)}`,
  ];
  for (const target of targets) {
    const { status, body } = await ask(t, server, target);
    assert.ok(status === 404 || status === 400, `${target}: ${status}`);
    assert.doesNotMatch(body.toString(), /SECRET|doctype/, target);
  }
  assert.equal((await ask(t, server, '/%69ndex.html')).status, 200);
});

test('what is the same is not sent again, and hashed names may be kept for ever', async (t) => {
  const files = {
    'index.html': INDEX,
    'assets/index-BxT3_k9z.js': SCRIPT,
    'assets/hero-original.svg': 'x',
    'index-BxT3_k9z.js': SCRIPT,
  };
  const server = await start(t, writePages(t, files));
  const caching = async (target) =>
    (await fetch(server.http + target)).headers.get('cache-control');
  assert.match(await caching('/assets/index-BxT3_k9z.js'), /immutable/);
  for (const target of ['/', '/assets/hero-original.svg', '/index-BxT3_k9z.js'])
    assert.equal(await caching(target), 'no-cache', target);

  for (const encoding of ['gzip', 'identity']) {
    const accept = `Accept-Encoding: ${encoding}\r\n`;
    const target = '/assets/index-BxT3_k9z.js';
    const { head } = await ask(t, server, target, accept);
    const tag = /^etag: (.*)$/im.exec(head)[1];
    for (const known of [tag, `W/${tag}`, `"x", ${tag} , "y"`, '*']) {
      const again = await ask(t, server, target, `${accept}If-None-Match: ${known}\r\n`);
      assert.equal(again.status, 304, known);
      assert.equal(again.body.length, 0);
      assert.match(again.head, /^cache-control: .*immutable/im);
      assert.ok(again.head.includes(tag));
      assert.doesNotMatch(again.head, /^content-(encoding|length|type):/im);
    }
    for (const other of ['"x"', tag.slice(0, -2), tag.replace('"', '"0'), '']) {
      const again = await ask(t, server, target, `${accept}If-None-Match: ${other}\r\n`);
      assert.equal(again.status, 200, other);
    }
  }
});

test('text is compressed for who takes it, once and smaller', async (t) => {
  const files = { 'a.js': SCRIPT, 'tiny.js': 'x', 'a.png': Buffer.alloc(10_000) };
  const server = await start(t, writePages(t, files));
  const packed = await ask(t, server, '/a.js', 'Accept-Encoding: br, gzip;q=0.5\r\n');
  assert.match(packed.head, /^content-encoding: gzip$/im);
  assert.match(packed.head, /^vary: accept-encoding$/im);
  assert.ok(packed.body.length < SCRIPT.length / 10);
  assert.equal(gunzipSync(packed.body).toString(), SCRIPT);
  for (const headers of ['', 'Accept-Encoding: br\r\n', 'Accept-Encoding: gzip;q=0\r\n']) {
    const plain = await ask(t, server, '/a.js', headers);
    assert.doesNotMatch(plain.head, /content-encoding/i);
    assert.match(plain.head, /^vary: accept-encoding$/im);
    assert.equal(plain.body.toString(), SCRIPT);
    assert.notEqual(/^etag: (.*)$/im.exec(plain.head)[1], /^etag: (.*)$/im.exec(packed.head)[1]);
  }
  for (const target of ['/tiny.js', '/a.png']) {
    const { head } = await ask(t, server, target, 'Accept-Encoding: gzip\r\n');
    assert.doesNotMatch(head, /content-encoding|vary/i, target);
  }
});

test('HEAD gives the same head without the body, also of what is no page', async (t) => {
  const server = await start(t, writePages(t, { 'index.html': INDEX, 'a.js': SCRIPT }));
  for (const target of ['/', '/a.js', '/nothing', '/healthz']) {
    const whole = await ask(t, server, target);
    const head = await ask(t, server, target, '', 'HEAD');
    assert.equal(head.head, whole.head, target);
    assert.equal(head.body.length, 0, target);
    assert.equal(Number(/^content-length: (\d+)$/im.exec(head.head)[1]), whole.body.length);
  }
  const posted = await ask(t, server, '/', 'Content-Length: 0\r\n', 'POST');
  assert.equal(posted.status, 405);
  assert.match(posted.head, /^allow: GET, HEAD$/im);
});

test('a page may use its own server only, unless another policy is given', async (t) => {
  const folder = writePages(t, { 'index.html': INDEX });
  const { headers } = await fetch((await start(t, folder)).http);
  const policy = headers.get('content-security-policy');
  assert.match(policy, /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/);
  assert.match(policy, /connect-src 'self';/);
  assert.doesNotMatch(policy, /'unsafe-inline'|'unsafe-eval'|\*|https?:/);
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  assert.equal(headers.get('referrer-policy'), 'no-referrer');

  const other = await start(t, folder, ['--pages-policy', "default-src 'self'"]);
  const own = await fetch(other.http);
  assert.equal(own.headers.get('content-security-policy'), "default-src 'self'");
});

test('a slow reader gets the whole file', async (t) => {
  const server = await start(t, writePages(t, { 'big.bin': WASM }));
  const raw = rawSocket(t, server);
  raw.write('GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n');
  await raw.until((data) => data.length > 0, 'first bytes');
  raw.socket.pause();
  const waited = new Promise((resolve) => setTimeout(resolve, 3000)); // longer than closing takes
  await waited;
  raw.socket.resume();
  const all = await raw.rest();
  assert.ok(all.subarray(all.indexOf('\r\n\r\n') + 4).equals(WASM));
});

test('closing does not wait for who takes no answer', async (t) => {
  const server = await start(t, writePages(t, { 'big.bin': Buffer.alloc(30_000_000) }));
  await connectSynced(t, server, 'ada', ['note']); // it is in sdb_run by now
  const raw = rawSocket(t, server);
  raw.write('GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n');
  await raw.until((data) => data.length > 0, 'first bytes');
  raw.socket.pause();
  await server.stop();
});

test('folders that cannot be served are refused before anything listens', async (t) => {
  const refused = async (folder, words, more = []) => {
    const args = [...serveArguments(temporaryFolder(t)), '--pages', folder, ...more];
    const { code, stdout, stderr } = await run(args);
    assert.equal(code, words[0], stderr);
    assert.equal(stdout, '');
    assert.match(stderr, words[1]);
  };
  await refused('/nowhere/at/all', [1, /cannot read the pages in \/nowhere\/at\/all: No such/]);

  const linked = writePages(t, { 'index.html': INDEX });
  fs.symlinkSync('/etc/passwd', path.join(linked, 'passwd.txt'));
  await refused(linked, [2, /pages: \/passwd.txt is a symbolic link/]);

  const linkedFolder = writePages(t, { 'a/index.html': INDEX });
  fs.symlinkSync('/etc', path.join(linkedFolder, 'a/etc'));
  await refused(linkedFolder, [2, /pages: \/a\/etc is a symbolic link/]);

  const pipe = writePages(t, { 'index.html': INDEX });
  execFileSync('mkfifo', [path.join(pipe, 'pipe')]);
  await refused(pipe, [2, /pages: \/pipe is neither a file nor a folder/]);

  const many = writePages(t, {});
  for (let i = 0; i <= 1024; i++) fs.writeFileSync(path.join(many, `${i}`), '');
  await refused(many, [2, /at most 1024 files/]);

  const big = writePages(t, { 'a.bin': '' });
  fs.truncateSync(path.join(big, 'a.bin'), 64 * 1024 * 1024 + 1);
  await refused(big, [2, /at most 64 MiB/]);

  const deep = writePages(t, { [`${'a/'.repeat(17)}index.html`]: INDEX });
  await refused(deep, [2, /too deep/]);

  const good = writePages(t, { 'index.html': INDEX });
  await refused(path.join(good, 'index.html'), [1, /Not a directory/]);
  await refused(good, [2, /policy/], ['--pages-policy', "default-src 'self'\r\nX: y"]);
});

test('the folder itself may be a link, and a change in it shows after a restart', async (t) => {
  const folder = writePages(t, { 'release/index.html': 'one' });
  const link = path.join(folder, 'current');
  fs.symlinkSync('release', link);
  const server = await start(t, link);
  fs.writeFileSync(path.join(folder, 'release/index.html'), 'two');
  assert.equal(await (await fetch(server.http)).text(), 'one');
  await server.stop();
  const again = await start(t, link);
  assert.equal(await (await fetch(again.http)).text(), 'two');
});
