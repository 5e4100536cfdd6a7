// Bad input: each a clear error or close code, nothing lost, and nobody else disturbed.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { suiteCleanup } from './support/cleanup.mjs';
import { connect, connectSynced } from './support/client.mjs';
import {
  BINARY,
  CLOSE,
  PING,
  frame,
  rawSocket,
  rawWebSocket,
  upgradeRequest,
} from './support/raw.mjs';
import { startServer } from './support/server.mjs';

const ALL = ['chatMessage', 'account', 'note'];
const HELLO = '{"type":"client_hello","data":{"syncStatus":{}}}';

// One server for all of it, so that what one test breaks another would see; and a bystander, whose
// pushes must come back whatever the others send.
let server;
let bystander;
const suite = suiteCleanup();

before(async () => {
  server = await startServer(suite, { args: ['--max-message-bytes', '100000'] });
  bystander = await connectSynced(suite, server, 'bystander', ALL);
});
after(() => suite.end());

async function nobodyDisturbed() {
  assert.ok(server.running, server.log);
  const event = await bystander.pushed('note', { text: 'still here' });
  assert.equal(event.object.text, 'still here');
}

const pushText = (object, clientId = randomUUID(), more = '') =>
  `{"type":"update","data":{"store":"note","object":${object},"clientId":"${clientId}"${more}}}`;

// ---- messages that are not of the protocol: closed with 4400 ----

const NOT_MESSAGES = {
  'text that is no JSON': 'hello',
  'an empty message': '',
  'JSON that ends too early': '{"type":"ping"',
  'something behind the JSON': '{"type":"ping"} {}',
  'a NUL byte in the JSON': '{"type":"ping"\u0000}',
  'a NUL byte in a string': '{"type":"pi\u0000ng"}',
  'an unescaped line break in a string': '{"type":"pi\nng"}',
  'a lone high surrogate': '{"type":"ping","data":"\\ud800"}',
  'a lone low surrogate': '{"type":"ping","data":"\\udc00"}',
  'a high surrogate before another character': '{"type":"ping","data":"\\ud800\\u0041"}',
  'a duplicate key': '{"type":"ping","type":"ping"}',
  'a duplicate key that is escaped once': '{"type":"ping","a":1,"\\u0061":2}',
  'a duplicate key deep inside': '{"type":"ping","data":[{"a":{"b":1,"b":1}}]}',
  'depth 10,000': `${'['.repeat(10000)}${']'.repeat(10000)}`,
  'depth 10,000 in an object':
    `{"type":"ping","data":${'{"a":'.repeat(10000)}1${'}'.repeat(10000)}}`,
  'a number with a leading zero': '{"type":"ping","data":01}',
  'NaN': '{"type":"ping","data":NaN}',
  'a comment': '{"type":"ping"/**/}',
  'a trailing comma': '{"type":"ping",}',
  'an array': '[1]',
  'a string': '"ping"',
  'no type': '{"data":{}}',
  'a type that is no string': '{"type":1}',
};

for (const [name, text] of Object.entries(NOT_MESSAGES)) {
  test(`${name} closes the connection with 4400`, async (t) => {
    const client = await connectSynced(t, server, 'mallory', ALL);
    client.sendText(text);
    assert.equal((await client.closed).code, 4400);
    await nobodyDisturbed();
  });
}

// ---- messages of the protocol that say something wrong: an error, and the connection goes on ----

const id = randomUUID();
const ERRORS = {
  'a store that there is not': [
    `{"type":"update","data":{"store":"nothing","object":{},"clientId":"${id}"}}`,
    'unknown_store',
  ],
  "a store's name as it is defined, not as on the wire": [
    `{"type":"update","data":{"store":"chat_message","object":{},"clientId":"${id}"}}`,
    'unknown_store',
  ],
  'an update without an object': [
    `{"type":"update","data":{"store":"note","clientId":"${id}"}}`,
    'bad_message',
  ],
  'an object that is a list': [pushText('[1]', id), 'bad_message'],
  'an object that is a text': [pushText('"x"', id), 'bad_message'],
  'an object that the schema refuses': [pushText('{"text":1}', id), 'invalid_object', '/text'],
  'an object without a required field': [pushText('{}', id), 'invalid_object'],
  'a $ key': [pushText('{"text":"x","$id":"y"}', id), 'invalid_object', '/$id'],
  'a $createdAt that is no integer': [
    pushText('{"text":"x","$createdAt":"now"}', id),
    'invalid_object',
    '/$createdAt',
  ],
  'a $createdAt beyond 64 bits': [
    pushText('{"text":"x","$createdAt":123456789012345678901234567890}', id),
    'invalid_object',
    '/$createdAt',
  ],
  'a negative $createdAt': [
    pushText('{"text":"x","$createdAt":-1}', id),
    'invalid_object',
    '/$createdAt',
  ],
  'an update of what there is not': [
    pushText('{"text":"x"}', id, `,"id":"${randomUUID()}"`),
    'not_found',
  ],
  'a remove of what there is not': [
    `{"type":"remove","data":{"store":"note","id":"${randomUUID()}","clientId":"${id}"}}`,
    'not_found',
  ],
};

for (const [name, [text, code, path]] of Object.entries(ERRORS)) {
  test(`${name} is answered with ${code}`, async (t) => {
    const client = await connectSynced(t, server, 'mallory', ALL);
    client.sendText(text);
    const error = await client.errorOf(id);
    assert.equal(error.code, code, JSON.stringify(error));
    if (path) assert.equal(error.path, path);
    assert.ok(error.message.length > 0);
    await client.pinged();
    await nobodyDisturbed();
  });
}

const BAD_FIELDS = {
  'a clientId that is no UUID': pushText('{"text":"x"}', 'x'),
  'an id that is no UUID': pushText('{"text":"x"}', id, ',"id":"x"'),
  'a remove without an id': '{"type":"remove","data":{"store":"note"}}',
  'a fetch without a limit of at least one':
    '{"type":"fetch","data":{"store":"note","after":null,"before":null,"limit":0}}',
  'a fetch whose end is no UUID':
    '{"type":"fetch","data":{"store":"note","after":null,"before":"x","limit":1}}',
  'data that is no object': '{"type":"update","data":[]}',
};

for (const [name, text] of Object.entries(BAD_FIELDS)) {
  test(`${name} is answered with bad_message`, async (t) => {
    const client = await connectSynced(t, server, 'mallory', ALL);
    client.sendText(text);
    assert.equal((await client.take('error')).code, 'bad_message');
    await client.pinged();
    await nobodyDisturbed();
  });
}

test('numbers beyond 64 bits are kept as they are where the schema allows them', async (t) => {
  const client = await connectSynced(t, server, 'numbers', ALL);
  client.sendText(pushText('{"text":"x","n":1e400,"m":123456789012345678901234567890}', id));
  await client.take('update', (d) => d.clientId === id);
  await nobodyDisturbed();
});

test('an empty string and a NUL that is escaped are text like any other', async (t) => {
  const client = await connectSynced(t, server, 'texts', ALL);
  for (const text of ['', '\u0000', 'a\u0000b'])
    assert.equal((await client.pushed('note', { text })).object.text, text);
});

// ---- the hello ----

test('a hello twice closes with 4400', async (t) => {
  const client = await connectSynced(t, server, 'mallory', ALL);
  client.sendText(HELLO);
  assert.equal((await client.closed).code, 4400);
  await nobodyDisturbed();
});

test('a message before the hello closes with 4400', async (t) => {
  const client = await connect(t, server, 'early');
  client.push('note', { text: 'early' });
  assert.equal((await client.closed).code, 4400);
  const later = await connectSynced(t, server, 'early', ALL);
  assert.deepEqual(later.synced.events, []);
  await nobodyDisturbed();
});

const BAD_HELLOS = {
  'no data': '{"type":"client_hello"}',
  'a syncStatus that is a list': '{"type":"client_hello","data":{"syncStatus":[]}}',
  'a head that is no UUID': '{"type":"client_hello","data":{"syncStatus":{"note":"yesterday"}}}',
  'a head that is a number': '{"type":"client_hello","data":{"syncStatus":{"note":7}}}',
  'a missing range that is no range':
    '{"type":"client_hello","data":{"syncStatus":{},"missing":{"note":[7]}}}',
  'a window that is negative':
    '{"type":"client_hello","data":{"syncStatus":{},"window":{"note":-1}}}',
};

for (const [name, text] of Object.entries(BAD_HELLOS)) {
  test(`a hello with ${name} closes with 4400`, async (t) => {
    const client = await connect(t, server, 'mallory');
    client.sendText(text);
    assert.equal((await client.closed).code, 4400);
    await nobodyDisturbed();
  });
}

test('a head of a store that there is not is passed over', async (t) => {
  const client = await connect(t, server, 'mallory');
  const hello = await client.hello({ nothing: randomUUID() });
  assert.deepEqual(Object.keys(hello.stores).sort(), ['account', 'chatMessage', 'note']);
});

test('a head that no event of this database had is answered with reset', async (t) => {
  const client = await connect(t, server, 'mallory');
  const hello = await client.hello({ note: '01974f63-6abc-7000-8107-66e6c9a45dda' });
  assert.equal(hello.stores.note.reset, true);
});

test('missing ranges that overlap send each event once', async (t) => {
  const writer = await connectSynced(t, server, 'overlap', ALL);
  const ids = [];
  for (let i = 0; i < 6; i++) ids.push((await writer.pushed('note', { text: `${i}` })).id);
  const reader = await connect(t, server, 'overlap');
  const ranges = [
    { after: ids[0], before: ids[4] },
    { after: ids[1], before: ids[5] },
  ];
  await reader.hello({ note: ids[5] }, { missing: { note: ranges } });
  const sent = [];
  for (let ended = false; !ended; ) {
    const { type, data } = await reader.takeMessage((m) => m.data.store === 'note');
    if (type === 'update') sent.push(data.id);
    ended = type === 'synced' && data.after === ids[0]; // the range that reaches furthest back
  }
  assert.deepEqual(sent.sort(), ids.slice(1, 5));
  await nobodyDisturbed();
});

test('a missing range that is reversed closes with 4400', async (t) => {
  const writer = await connectSynced(t, server, 'reversed', ALL);
  const first = await writer.pushed('note', { text: '1' });
  const second = await writer.pushed('note', { text: '2' });
  const reader = await connect(t, server, 'reversed');
  const missing = { note: [{ after: second.id, before: first.id }] };
  reader.send('client_hello', { syncStatus: { note: second.id }, missing });
  assert.equal((await reader.closed).code, 4400);
  await nobodyDisturbed();
});

test('10,000 missing ranges close with 4400', async (t) => {
  const client = await connect(t, server, 'mallory');
  const range = '{"after":null,"before":null}';
  const ranges = Array(10000).fill(range).join(',');
  const hello = `{"type":"client_hello","data":{"syncStatus":{},"missing":{"note":[${ranges}]}}}`;
  const big = await startServer(t);
  const other = await connect(t, big, 'mallory');
  other.sendText(hello);
  assert.equal((await other.closed).code, 4400);
  client.sendText(hello); // here it is over the size of a message already
  assert.equal((await client.closed).code, 1009);
  await nobodyDisturbed();
});

test('an object of another user cannot be told from one that there is not', async (t) => {
  const owner = await connectSynced(t, server, 'owner', ALL);
  const { id: theirs } = await owner.pushed('note', { text: 'mine' });
  const mallory = await connectSynced(t, server, 'mallory', ALL);
  const answers = [];
  const nearly = theirs.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'));
  for (const target of [theirs, nearly, randomUUID()]) {
    const update = mallory.push('note', { text: 'taken' }, { id: target });
    answers.push(await mallory.errorOf(update));
    const clientId = randomUUID();
    mallory.send('remove', { id: target, clientId });
    answers.push(await mallory.errorOf(clientId));
  }
  for (const { clientId: _, store: __, ...answer } of answers)
    assert.deepEqual(answer, { code: 'not_found', message: answers[0].message });
  assert.equal((await owner.pushed('note', { text: 'kept' }, { id: theirs })).id, theirs);
});

test("another user's head shows nothing of theirs", async (t) => {
  const owner = await connectSynced(t, server, 'owner-of-head', ALL);
  const { id: theirs } = await owner.pushed('note', { text: 'mine' });
  const mallory = await connect(t, server, 'mallory-of-head');
  const { events } = await mallory.sync(ALL, { note: theirs });
  assert.deepEqual(events, []);
  mallory.send('fetch', { store: 'note', after: null, before: theirs, limit: 10 });
  await mallory.take('synced');
  assert.deepEqual(mallory.takeAll(), []);
});

// ---- frames ----

const payload = pushText('{"text":"x"}');

const BAD_FRAMES = {
  'a frame without a mask': [frame(payload, { masked: false }), 1002],
  'a reserved bit': [frame(payload, { reserved: 2 }), 1002],
  'the bit of a compression that was not agreed on': [frame(payload, { reserved: 4 }), 1002],
  'a reserved opcode': [frame(payload, { opcode: 3 }), 1002],
  'a ping over 125 bytes': [frame('x'.repeat(126), { opcode: PING }), 1002],
  'a fragmented ping': [frame('x', { opcode: PING, fin: false }), 1002],
  'a continuation of nothing': [frame('x', { opcode: 0 }), 1002],
  'a new message inside a fragmented one': [
    Buffer.concat([frame('{', { fin: false }), frame('}')]),
    1002,
  ],
  'a close frame of one byte': [frame('x', { opcode: CLOSE }), 1002],
  'a binary message': [frame(payload, { opcode: BINARY }), 1003],
  'text that is not UTF-8': [frame(Buffer.from([0x22, 0xc3, 0x28, 0x22])), 1007],
  'text with a surrogate in UTF-8': [frame(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), 1007],
  'text that ends within a character': [frame(Buffer.from([0x22, 0xc3])), 1007],
  'a frame that announces 2 GiB': [frame('x', { announce: 2 ** 31 }), 1009],
  'a frame that announces 2^62 bytes': [frame('x', { announce: 2 ** 62 }), 1009],
  'fragments that are too large together': [
    Buffer.concat([
      frame('x'.repeat(60000), { fin: false }),
      frame('x'.repeat(60000), { opcode: 0, fin: true }),
    ]),
    1009,
  ],
};

for (const [name, [bytes, code]] of Object.entries(BAD_FRAMES)) {
  test(`${name} closes with ${code}`, async (t) => {
    const raw = await rawWebSocket(t, server, 'mallory');
    raw.write(frame(HELLO));
    await raw.until((data) => data.includes('server_hello'), 'server_hello');
    raw.write(bytes);
    assert.equal(await raw.closeCode(), code);
    await nobodyDisturbed();
  });
}

test('a message in fragments of one byte, with pings between, is a message', async (t) => {
  const raw = await rawWebSocket(t, server, 'fragments');
  raw.write(frame(HELLO));
  await raw.until((data) => data.includes('server_hello'), 'server_hello');
  const bytes = [...Buffer.from(pushText('{"text":"in pieces"}', id))];
  for (const [i, byte] of bytes.entries()) {
    const last = i === bytes.length - 1;
    raw.write(frame([byte], { opcode: i === 0 ? 1 : 0, fin: last }));
    if (!last && i % 10 === 0) raw.write(frame('?', { opcode: PING }));
  }
  await raw.until((data) => data.includes('in pieces'), 'echo');
  await nobodyDisturbed();
});

test('a client that vanishes in the middle of a frame leaves nothing behind', async (t) => {
  const raw = await rawWebSocket(t, server, 'vanishing');
  raw.write(frame(HELLO));
  await raw.until((data) => data.includes('server_hello'), 'server_hello');
  const whole = frame(pushText('{"text":"whole"}'));
  const half = frame(pushText('{"text":"half"}'));
  raw.write(Buffer.concat([whole, half.subarray(0, half.length / 2)]));
  await raw.until((data) => data.includes('whole'), 'echo');
  raw.socket.resetAndDestroy();
  const later = await connectSynced(t, server, 'vanishing', ALL);
  assert.deepEqual(
    later.synced.events.map((m) => m.data.object.text),
    ['whole'],
  );
  await nobodyDisturbed();
});

test('a client that vanishes right after a push has pushed it', async (t) => {
  const client = await connectSynced(t, server, 'hasty', ALL);
  const watcher = await connectSynced(t, server, 'hasty', ALL);
  client.push('note', { text: 'bye' });
  client.socket.close();
  assert.equal((await watcher.take('update')).object.text, 'bye');
});

// ---- HTTP ----

const BAD_REQUESTS = {
  'a path that there is not': ['GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n', [404]],
  'a method that there is not': ['FROB / HTTP/1.1\r\nHost: x\r\n\r\n', [400, 405, 501]],
  'a POST': ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n', [404, 405]],
  'no HTTP at all': ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', [400]],
  'a request line that is too long': [
    `GET /${'x'.repeat(100000)} HTTP/1.1\r\n\r\n`,
    [400, 414, 431],
  ],
  'too many headers': [`GET / HTTP/1.1\r\n${'X-A: b\r\n'.repeat(20000)}\r\n`, [400, 431]],
  'an upgrade without a key': [
    upgradeRequest('/?user=x', { 'Sec-WebSocket-Key': undefined }),
    [400],
  ],
  'an upgrade with a key that is too short': [
    upgradeRequest('/?user=x', { 'Sec-WebSocket-Key': 'eA==' }),
    [400],
  ],
  'an upgrade of another version': [
    upgradeRequest('/?user=x', { 'Sec-WebSocket-Version': '8' }),
    [400, 426],
  ],
  'an upgrade to something else': [upgradeRequest('/?user=x', { Upgrade: 'h2c' }), [400, 404, 426]],
};

for (const [name, [request, statuses]] of Object.entries(BAD_REQUESTS)) {
  test(`${name} is answered with ${statuses.join(' or ')}`, async (t) => {
    const raw = rawSocket(t, server).write(request);
    assert.ok(statuses.includes(await raw.httpStatus()));
    await nobodyDisturbed();
  });
}
