// Who the user is: without an identity there is no data, and nothing else is said.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { connect, connectSynced } from './support/client.mjs';
import { run, serveArguments, startServer, temporaryFolder } from './support/server.mjs';
import { seconds, token } from './support/tokens.mjs';

const ALL = ['chatMessage', 'account', 'note'];
const SECRET = 'a secret of at least thirty-two bytes, for tests';

const claims = (more = {}) => ({ sub: 'ada', exp: seconds() + 3600, ...more });
const bearer = (value) => ({ headers: { authorization: `Bearer ${value}` } });

async function startWithSecret(t) {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'secret');
  writeFileSync(file, SECRET);
  return startServer(t, { folder, identity: ['--jwt-secret-file', file] });
}

async function startWithPublicKey(t, publicKey) {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'public.pem');
  writeFileSync(file, publicKey.export({ type: 'spki', format: 'pem' }));
  return startServer(t, { folder, identity: ['--jwt-public-key', file] });
}

/** The connection must close with 4401, and nothing may be said before. */
async function refused(t, server, options = {}) {
  const client = await connect(t, server, undefined, options);
  assert.equal((await client.closed).code, 4401);
  assert.deepEqual(client.takeAll(), []);
}

// ---- starting ----

test('without a way to tell users apart the server does not start', async (t) => {
  const result = await run(serveArguments(temporaryFolder(t), { identity: [] }));
  assert.equal(result.code, 2);
  assert.match(result.stderr, /--dev-auth/);
});

test('--dev-auth listens on loopback only', async (t) => {
  for (const listen of ['0.0.0.0:0', '[::]:0']) {
    const result = await run(serveArguments(temporaryFolder(t), { listen }));
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /loopback/);
  }
});

test('two ways of identity at once are refused', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'secret');
  writeFileSync(file, SECRET);
  const identity = ['--dev-auth', '--jwt-secret-file', file];
  assert.equal((await run(serveArguments(folder, { identity }))).code, 2);
});

test('a secret that is too short is refused', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, 'secret');
  writeFileSync(file, 'short');
  const result = await run(serveArguments(folder, { identity: ['--jwt-secret-file', file] }));
  assert.notEqual(result.code, 0);
  assert.match(result.stderr, /32/);
});

test('a file of a key that is not there is named', async (t) => {
  const identity = ['--jwt-public-key', '/nothing/here.pem'];
  const result = await run(serveArguments(temporaryFolder(t), { identity }));
  assert.notEqual(result.code, 0);
  assert.match(result.stderr, /\/nothing\/here\.pem/);
});

// ---- dev-auth ----

test('dev-auth without a user is no identity', async (t) => {
  const server = await startServer(t);
  const client = await connect(t, server);
  client.send('client_hello', { syncStatus: {} });
  assert.equal((await client.closed).code, 4401);
});

test('dev-auth takes names with any characters, up to 255 bytes', async (t) => {
  const server = await startServer(t);
  const names = ['ada@example.org', 'Ada Lovelace', 'é/ü?&=+', 'x'.repeat(255)];
  for (const name of names) {
    const client = await connectSynced(t, server, name, ALL);
    await client.pushed('note', { text: name });
    const again = await connectSynced(t, server, name, ALL);
    assert.deepEqual(
      again.synced.events.map((m) => m.data.object.text),
      [name],
    );
  }
  const client = await connect(t, server, 'x'.repeat(256));
  assert.equal((await client.closed).code, 4401);
});

// ---- JWT: where the token may stand ----

test('a token is taken from the header, the cookie, the query and the hello', async (t) => {
  const server = await startWithSecret(t);
  const value = token('HS256', SECRET, claims());
  const writer = await connectSynced(t, server, undefined, ALL, bearer(value));
  await writer.pushed('note', { text: 'of ada' });
  const ways = [
    bearer(value),
    { headers: { cookie: `theme=dark; syncdb_token=${value}; x=y` } },
    { url: `${server.url}/?token=${value}` },
    { more: { token: value } },
  ];
  for (const options of ways) {
    const client = await connectSynced(t, server, undefined, ALL, options);
    assert.equal(client.synced.events[0].data.object.text, 'of ada');
  }
});

test('the user is the subject of the token, whatever the query says', async (t) => {
  const server = await startWithSecret(t);
  const ada = token('HS256', SECRET, claims());
  const writer = await connectSynced(t, server, undefined, ALL, bearer(ada));
  await writer.pushed('note', { text: 'of ada' });
  const bob = token('HS256', SECRET, claims({ sub: 'bob' }));
  const reader = await connectSynced(t, server, 'ada', ALL, bearer(bob));
  assert.deepEqual(reader.synced.events, []);
});

test('no token at all closes with 4401 at the hello', async (t) => {
  const server = await startWithSecret(t);
  const client = await connect(t, server);
  client.send('client_hello', { syncStatus: {} });
  assert.equal((await client.closed).code, 4401);
  assert.deepEqual(client.takeAll(), []);
});

// ---- JWT: what is refused ----

const REFUSED = {
  'an expired token': () => token('HS256', SECRET, claims({ exp: seconds() - 60 })),
  'a token that is not valid yet': () => token('HS256', SECRET, claims({ nbf: seconds() + 600 })),
  'a token of another key': () => token('HS256', `${SECRET}!`, claims()),
  'a token with alg none': () => token('none', '', claims()),
  'a token with alg none and a signature': () => `${token('none', '', claims())}c2ln`,
  'a token without a subject': () => token('HS256', SECRET, claims({ sub: undefined })),
  'a token whose subject is empty': () => token('HS256', SECRET, claims({ sub: '' })),
  'a subject of 256 bytes': () => token('HS256', SECRET, claims({ sub: 'x'.repeat(256) })),
  'a token whose subject is a number': () => token('HS256', SECRET, claims({ sub: 7 })),
  'a token whose exp is a text': () => token('HS256', SECRET, claims({ exp: 'tomorrow' })),
  'a token that was changed': () => {
    const [head, , signature] = token('HS256', SECRET, claims()).split('.');
    const body = Buffer.from(JSON.stringify(claims({ sub: 'root' }))).toString('base64url');
    return `${head}.${body}.${signature}`;
  },
  'half a token': () => token('HS256', SECRET, claims()).slice(0, 40),
  'what is no token': () => 'x',
};

for (const [name, make] of Object.entries(REFUSED)) {
  test(`${name} closes with 4401, and nothing is said`, async (t) => {
    const server = await startWithSecret(t);
    await refused(t, server, bearer(make()));
    const client = await connect(t, server);
    client.send('client_hello', { syncStatus: {}, token: make() });
    assert.equal((await client.closed).code, 4401);
    assert.deepEqual(client.takeAll(), []);
    assert.ok(!server.log.includes(make().slice(-20)), 'no token in the log');
  });
}

// ---- public keys ----

const KEYS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

for (const [alg, generate] of Object.entries(KEYS)) {
  test(`${alg} tokens are taken, of the right key only`, async (t) => {
    const { publicKey, privateKey } = generate();
    const server = await startWithPublicKey(t, publicKey);
    await connectSynced(t, server, undefined, ALL, bearer(token(alg, privateKey, claims())));
    await refused(t, server, bearer(token(alg, generate().privateKey, claims())));
    await refused(t, server, bearer(token(alg, privateKey, claims({ exp: seconds() - 60 }))));
    await refused(t, server, bearer(token('none', '', claims())));
  });
}

test('a public key is not taken for the secret of an HS256 token', async (t) => {
  const { publicKey } = KEYS.RS256();
  const server = await startWithPublicKey(t, publicKey);
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  await refused(t, server, bearer(token('HS256', pem, claims())));
});

// ---- time passes ----

test('a connection closes with 4401 when its token expires', async (t) => {
  const server = await startWithSecret(t);
  const exp = seconds() + 2;
  const value = token('HS256', SECRET, claims({ exp }));
  const client = await connectSynced(t, server, undefined, ALL, bearer(value));
  assert.equal((await client.closed).code, 4401);
  assert.ok(Date.now() >= exp * 1000, 'not before');
});

test('auth renews an identity that is about to expire', async (t) => {
  const server = await startWithSecret(t);
  const soon = token('HS256', SECRET, claims({ exp: seconds() + 2 }));
  const renewed = await connectSynced(t, server, undefined, ALL, bearer(soon));
  const left = await connectSynced(t, server, undefined, ALL, bearer(soon));
  renewed.send('auth', { token: token('HS256', SECRET, claims()) });
  assert.equal((await left.closed).code, 4401);
  await renewed.pushed('note', { text: 'still here' });
});

test('auth with the token of another user closes with 4401', async (t) => {
  const server = await startWithSecret(t);
  const value = token('HS256', SECRET, claims());
  const client = await connectSynced(t, server, undefined, ALL, bearer(value));
  client.send('auth', { token: token('HS256', SECRET, claims({ sub: 'bob' })) });
  assert.equal((await client.closed).code, 4401);
});
