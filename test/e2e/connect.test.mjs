// `syncdb connect` against servers that are not ours: npm's `ws`, and bytes written by hand.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';
import { cleanup } from './support/cleanup.mjs';
import { run, temporaryFolder } from './support/server.mjs';

async function listen(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup(t, () => server.close());
  return `127.0.0.1:${server.address().port}`;
}

/** A WebSocket server that hands each connection to `accept(ws, request)`. */
async function serve(t, accept, server = createHttpServer()) {
  const sockets = new WebSocketServer({ server, perMessageDeflate: true });
  sockets.on('connection', accept);
  cleanup(t, () => sockets.clients.forEach((ws) => ws.terminate()));
  return listen(t, server);
}

/** A server that upgrades and then writes `chunks`, each on its own, as they stand. */
async function serveBytes(t, chunks, answer) {
  const server = createTcpServer((socket) => {
    let head = '';
    socket.on('error', () => {});
    cleanup(t, () => socket.destroy());
    socket.on('data', async (data) => {
      head += data.toString('latin1');
      const key = /sec-websocket-key: (\S+)\r\n[^]*\r\n\r\n/i.exec(head)?.[1];
      if (!key) return;
      head = '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
      socket.setNoDelay(true);
      socket.write(answer ?? upgraded(accept.digest('base64')));
      for (const chunk of chunks) {
        await new Promise((resolve) => socket.write(Buffer.from(chunk), resolve));
        await new Promise(setImmediate);
      }
    });
  });
  return listen(t, server);
}

const upgraded = (accept) =>
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  `sec-websocket-accept: ${accept}\r\n\r\n`;

const connect = (address, args = [], input = '') =>
  run(['connect', ...args, `ws://${address}/`], input);

test('a line is a message, and a message is a line', async (t) => {
  const address = await serve(t, (ws) => ws.on('message', (data) => ws.send(`got ${data}`)));
  const { code, stdout } = await connect(address, [], 'one\r\n\ntwo\nthree');
  assert.equal(stdout, 'got one\ngot two\ngot three\n');
  assert.equal(code, 0);
});

test('--hello says an empty hello first', async (t) => {
  const address = await serve(t, (ws) => ws.on('message', (data) => ws.send(`${data}`)));
  const { stdout } = await connect(address, ['--hello'], 'then this\n');
  const lines = stdout.trimEnd().split('\n');
  assert.deepEqual(JSON.parse(lines[0]), { type: 'client_hello', data: { syncStatus: {} } });
  assert.equal(lines[1], 'then this');
});

test('fragments are put together, and a ping between them is answered', async (t) => {
  const answers = [];
  const address = await serve(t, (ws) => {
    answers.push(once(ws, 'pong'));
    ws.send('frag', { fin: false });
    ws.ping('are you there');
    ws.send('men', { fin: false });
    ws.send('ts', { fin: true });
  });
  const { stdout } = await connect(address);
  assert.equal(`${(await answers[0])[0]}`, 'are you there');
  assert.equal(stdout, 'fragments\n');
});

test('messages of every size arrive whole and in order', async (t) => {
  const sizes = [0, 1, 125, 126, 127, 65535, 65536, 300_000, 20_000_000, 5, 200_000, 7];
  const address = await serve(t, (ws) => {
    for (const size of sizes) ws.send('x'.repeat(size));
    for (let n = 0; n < 20_000; n++) ws.send(`message ${n}`);
  });
  const { stdout } = await connect(address);
  const lines = stdout.split('\n');
  assert.deepEqual(
    lines.slice(0, sizes.length).map((line) => line.length),
    sizes,
  );
  const rest = lines.slice(sizes.length, -1);
  assert.equal(rest.length, 20_000);
  assert.ok(rest.every((line, n) => line === `message ${n}`));
});

test('long lines and many lines are sent', async (t) => {
  const got = [];
  const address = await serve(t, (ws) => ws.on('message', (data) => got.push(data.length)));
  const lines = ['x'.repeat(3_000_000), ...Array(5000).fill('y'.repeat(200)), 'z'];
  await connect(address, [], lines.join('\n'));
  assert.deepEqual(
    got,
    lines.map((line) => line.length),
  );
});

test('a line break inside a message does not make two lines of it', async (t) => {
  const address = await serve(t, (ws) => ws.send('{\n  "a": 1\r\n}'));
  const { stdout } = await connect(address);
  assert.equal(stdout, '{   "a": 1  }\n');
});

test('the close code and its reason are told, and decide the exit code', async (t) => {
  const expected = [
    [1000, 0],
    [1001, 0],
    [1013, 1],
    [4401, 1],
  ];
  for (const [closeCode, exitCode] of expected) {
    const address = await serve(t, (ws) => ws.close(closeCode, 'because'));
    const { code, stderr } = await connect(address, ['--quit-after-eof', 'never']);
    assert.equal(stderr, `closed ${closeCode} because\n`);
    assert.equal(code, exitCode, `${closeCode}`);
  }
});

test('a connection that ends without a close frame is an error', async (t) => {
  const address = await serve(t, (ws) => ws.terminate());
  const { code, stderr } = await connect(address, ['--quit-after-eof', 'never']);
  assert.match(stderr, /ended without a close frame/);
  assert.equal(code, 1);
});

test('--quit-after-eof 0 closes at once, with 1000', async (t) => {
  const closes = [];
  const address = await serve(t, (ws) => closes.push(once(ws, 'close')));
  assert.equal((await connect(address, ['--quit-after-eof', '0'], 'x\n')).code, 0);
  assert.equal((await closes[0])[0], 1000);
});

test('the token is shown at the upgrade', async (t) => {
  const address = await serve(t, (ws, request) => {
    ws.send(`${request.headers.authorization} ${request.headers['sec-websocket-protocol']}`);
    ws.close(1000);
  });
  const file = path.join(temporaryFolder(t), 'token');
  writeFileSync(file, 'from-a-file\n');
  const given = await connect(address, ['--token', 'abc']);
  assert.equal(given.stdout, 'Bearer abc syncdb.v1\n');
  const read = await connect(address, ['--token-file', file]);
  assert.equal(read.stdout, 'Bearer from-a-file syncdb.v1\n');
});

test('a refused upgrade is told with the status', async (t) => {
  const server = createHttpServer();
  server.on('upgrade', (request, socket) =>
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nwrong origin'),
  );
  const { code, stderr } = await connect(await listen(t, server));
  assert.match(stderr, /403 Forbidden/);
  assert.equal(code, 1);
});

test('a server that only pretends to speak WebSocket is found out', async (t) => {
  const address = await serveBytes(t, [], upgraded('AAAAAAAAAAAAAAAAAAAAAAAAAAA='));
  const { code, stderr } = await connect(address);
  assert.match(stderr, /does not speak WebSocket/);
  assert.equal(code, 1);
});

test('frames that come a byte at a time are understood', async (t) => {
  const frames = [0x81, 2, 0x68, 0x69, 0x89, 0, 0x81, 126, 0, 3, 0x61, 0x62, 0x63, 0x88, 2, 3, 232];
  const address = await serveBytes(
    t,
    frames.map((byte) => [byte]),
  );
  const { code, stdout } = await connect(address, ['--quit-after-eof', 'never']);
  assert.equal(stdout, 'hi\nabc\n');
  assert.equal(code, 0);
});

test('frames that break the protocol end the connection with an error', async (t) => {
  const wrong = {
    'masked frame': [0x81, 0x81, 1, 2, 3, 4, 5],
    'reserved bits': [0xc1, 1, 65],
    'unknown opcode': [0x83, 0],
    'fragments out of order': [0x80, 1, 65],
    'control frame that is fragmented': [0x09, 0],
    'too long': [0x89, 126, 0, 126],
    'over the size limit': [0x81, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    'binary message': [0x82, 1, 65],
    'one byte': [0x88, 1, 3],
  };
  for (const [what, bytes] of Object.entries(wrong)) {
    const address = await serveBytes(t, [bytes]);
    const { code, stderr } = await connect(address, ['--quit-after-eof', 'never']);
    assert.match(stderr, new RegExp(what));
    assert.equal(code, 1, what);
  }
});

test('wss wants a certificate that is trusted, unless told otherwise', async (t) => {
  const folder = temporaryFolder(t);
  const [cert, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
  const made = spawnSync('openssl', [
    ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -sha256 -days 2'.split(' '),
    ...['-nodes', '-keyout', key, '-out', cert, '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1'],
  ]);
  assert.equal(made.status, 0, `${made.stderr}`);
  const server = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) });
  const echo = (ws) => ws.on('message', (data) => ws.send(`${data}`));
  const url = `wss://${await serve(t, echo, server)}/`;

  const distrusted = await run(['connect', url], 'x\n');
  assert.match(distrusted.stderr, /TLS failed: self.signed/);
  assert.equal(distrusted.code, 1);

  const line = 'x'.repeat(1_000_000);
  const insecure = await run(['connect', '--insecure', url], `${line}\n`);
  assert.equal(insecure.stdout, `${line}\n`);
  assert.equal(insecure.code, 0);

  process.env.SSL_CERT_FILE = cert;
  const trusted = await run(['connect', url], `${line}\n`);
  delete process.env.SSL_CERT_FILE;
  assert.equal(trusted.stderr, 'closed 1000\n');
  assert.equal(trusted.stdout, `${line}\n`);
});

test('bad usage exits 2', async () => {
  const wrong = [
    ['http://127.0.0.1/'],
    ['ws://'],
    ['ws://host:99999/'],
    ['ws://host:port/'],
    ['ws://user@host/'],
    ['ws://host/#part'],
    ['ws://host/a b'],
    ['ws://[::1/'],
    ['--token', 'a b', 'ws://127.0.0.1:1/'],
    ['--token-file', '/nothing/here', 'ws://127.0.0.1:1/'],
    ['--quit-after-eof', 'soon', 'ws://127.0.0.1:1/'],
    ['ws://127.0.0.1:1/', 'ws://127.0.0.1:2/'],
  ];
  for (const args of wrong) {
    const { code, stderr } = await run(['connect', ...args]);
    assert.equal(code, 2, args.join(' '));
    assert.ok(stderr.length > 0);
  }
});
