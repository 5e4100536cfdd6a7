// TLS, with a certificate that is made here.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { connect, connectSynced } from './support/client.mjs';
import { rawSocket } from './support/raw.mjs';
import { chatStores, run, serveArguments, startServer } from './support/server.mjs';
import { temporaryFolder, writeStores } from './support/server.mjs';

const ALL = ['chatMessage', 'account', 'note'];

function certificate(folder, name) {
  const cert = path.join(folder, `${name}.cert.pem`);
  const key = path.join(folder, `${name}.key.pem`);
  const made = spawnSync('openssl', [
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -sha256 -days 2'.split(' '),
    ...['-nodes', '-keyout', key, '-out', cert, '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  ]);
  assert.equal(made.status, 0, `${made.stderr}`);
  return { cert, key };
}

async function startWithTls(t) {
  const folder = temporaryFolder(t);
  const { cert, key } = certificate(folder, 'server');
  const server = await startServer(t, { folder, args: ['--tls-cert', cert, '--tls-key', key] });
  return { server, ca: readFileSync(cert), cert };
}

test('devices connect over wss, and sync', async (t) => {
  const { server, ca } = await startWithTls(t);
  assert.match(server.url, /^wss:/);
  const one = await connectSynced(t, server, 'ada', ALL, { ca });
  const two = await connectSynced(t, server, 'ada', ALL, { ca });
  const text = 'x'.repeat(200_000);
  const event = await one.pushed('note', { text });
  assert.deepEqual(await two.take('update'), event);
});

test('the library is a device over wss, and trusts no certificate by itself', async (t) => {
  const { server, ca, cert } = await startWithTls(t);
  const folder = temporaryFolder(t);
  const other = await connectSynced(t, server, 'ada', ALL, { ca });
  const local = path.join(folder, 'ada.sqlite');
  const stores = writeStores(folder, chatStores);
  const device = ['push', server.url, '--stores', stores, '--user', 'ada', '--local', local];
  const push = (object, ...args) => run([...device, ...args, 'note'], JSON.stringify(object));
  const distrusted = await push({ text: 'kept' }, '--wait', '2');
  assert.equal(distrusted.code, 3);
  assert.match(distrusted.stderr, /certificate/);
  const text = 'x'.repeat(200_000);
  assert.equal((await push({ text }, '--tls-ca', cert)).code, 0);
  assert.equal((await other.take('update')).object.text, 'kept');
  assert.equal((await other.take('update')).object.text, text);
});

test('a client that does not trust the certificate does not connect', async (t) => {
  const { server } = await startWithTls(t);
  await assert.rejects(connect(t, server, 'ada'), /self-signed|SELF_SIGNED/i);
});

test('what is no TLS is closed, and nobody is disturbed', async (t) => {
  const { server, ca } = await startWithTls(t);
  const client = await connectSynced(t, server, 'ada', ALL, { ca });
  const raw = rawSocket(t, server).write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await raw.rest();
  await client.pushed('note', { text: 'still here' });
});

test('the server ends in order with TLS connections open', async (t) => {
  const { server, ca } = await startWithTls(t);
  const client = await connectSynced(t, server, 'ada', ALL, { ca });
  await server.stop();
  assert.equal((await client.closed).code, 1001);
});

test('a certificate without its key, or with another one, is refused', async (t) => {
  const folder = temporaryFolder(t);
  const one = certificate(folder, 'one');
  const two = certificate(folder, 'two');
  const wrong = [
    ['--tls-cert', one.cert],
    ['--tls-key', one.key],
    ['--tls-cert', one.cert, '--tls-key', two.key],
    ['--tls-cert', '/nothing/here.pem', '--tls-key', one.key],
  ];
  for (const args of wrong) {
    const result = await run(serveArguments(folder, { args }));
    assert.notEqual(result.code, 0, args.join(' '));
    assert.ok(result.stderr.length > 0);
  }
});
