// The server an ordinary good engineer would write by hand for the brief's protocol: `ws`, SQLite
// through better-sqlite3 (WAL, synchronous=FULL), prepared statements, one process. It is what
// `syncdb bench` is measured against, so it is kept fast and honest, and no more than it needs:
// client_hello, update, the echo to every device, exactly once by (user, clientId), catch-up newest
// first with back-pressure.
//
//   node server.mjs --db FILE [--listen HOST:PORT] [--commit turn|each] [--no-cork]
//
// --commit each: a transaction a message. --commit turn: one transaction for all that arrived in a
// turn of the event loop (group commit).
import http from 'node:http';
import { randomFillSync } from 'node:crypto';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { WebSocketServer } from 'ws';

const { values: options } = parseArgs({
  options: {
    db: { type: 'string' },
    listen: { type: 'string', default: '127.0.0.1:0' },
    commit: { type: 'string', default: 'turn' },
    'no-cork': { type: 'boolean', default: false },
  },
});
if (!options.db || !['turn', 'each'].includes(options.commit)) {
  console.error('usage: node server.mjs --db FILE [--listen HOST:PORT] [--commit turn|each]');
  process.exit(2);
}

const PAGE = 512;
const BUFFERED_MAX = 256 * 1024;
const STORES = new Set(['chatMessage']);
const FIELDS = new Set(['role', 'content', '$createdAt']);

const db = new Database(options.db);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.pragma('cache_size = -65536');
db.pragma('wal_autocheckpoint = 16000');
db.exec(`
  CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, user INTEGER NOT NULL, store TEXT NOT NULL, id TEXT NOT NULL,
    client_id TEXT NOT NULL, object TEXT NOT NULL);
  CREATE UNIQUE INDEX IF NOT EXISTS events_by_client ON events (user, client_id);
  CREATE INDEX IF NOT EXISTS events_by_id ON events (user, store, id);
`);
const sql = {
  begin: db.prepare('BEGIN IMMEDIATE'),
  commit: db.prepare('COMMIT'),
  rollback: db.prepare('ROLLBACK'),
  addUser: db.prepare('INSERT INTO users (name) VALUES (?) ON CONFLICT DO NOTHING'),
  user: db.prepare('SELECT id FROM users WHERE name = ?').pluck(),
  add: db.prepare(`INSERT INTO events (user, store, id, client_id, object) VALUES (?, ?, ?, ?, ?)
                   ON CONFLICT (user, client_id) DO NOTHING`),
  stored: db.prepare(`SELECT store, id, client_id, object FROM events
                      WHERE user = ? AND client_id = ?`).raw(),
  head: db.prepare('SELECT max(id) FROM events WHERE user = ? AND store = ?').pluck(),
  page: db.prepare(`SELECT store, id, client_id, object FROM events
                    WHERE user = ? AND store = ? AND id > ? AND id < ?
                    ORDER BY id DESC LIMIT ${PAGE}`).raw(),
};

// ---- UUIDv7: 48 bits of milliseconds, a 12-bit counter, random bits ----
const hex = (number, digits) => number.toString(16).padStart(digits, '0');
const pool = Buffer.alloc(8192);
let pooled = pool.length, lastMs = 0, counter = 0, prefix = '';
function nextId() {
  const now = Date.now();
  if (now > lastMs || ++counter > 0xfff) {
    lastMs = Math.max(now, lastMs + (counter > 0xfff ? 1 : 0));
    counter = 0;
    const ms = hex(lastMs, 12);
    prefix = `${ms.slice(0, 8)}-${ms.slice(8)}-7`;
  }
  if (pooled === pool.length) { randomFillSync(pool); pooled = 0; }
  const random = pool.hexSlice(pooled, pooled += 8);
  return `${prefix}${hex(counter, 3)}-8${random.slice(1, 4)}-${random.slice(4)}`;
}

// ---- users and their devices ----
const users = new Map(); // name -> { id, devices: Set of { ws, socket, user } }
function userNamed(name) {
  let user = users.get(name);
  if (!user) {
    sql.addUser.run(name);
    users.set(name, user = { name, id: sql.user.get(name), devices: new Set() });
  }
  return user;
}
const eventMessage = (store, id, clientId, object) =>
  `{"type":"update","data":{"store":"${store}","id":"${id}","object":${object},` +
  `"clientId":"${clientId}"}}`;
const say = (device, type, data) => device.ws.send(JSON.stringify({ type, data }));

// ---- pushes ----
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
function problemWith({ store, object, clientId }) {
  if (!STORES.has(store)) return ['unknown_store', 'No such store'];
  if (typeof clientId !== 'string') return ['bad_message', 'clientId must be a string'];
  if (!UUID.test(clientId)) return ['bad_message', 'clientId must be a UUID'];
  if (typeof object !== 'object' || object === null) return ['invalid_object', 'not an object'];
  if (typeof object.role !== 'string') return ['invalid_object', 'role must be a string'];
  if (typeof object.content !== 'string') return ['invalid_object', 'content must be a string'];
  for (const key in object) {
    if (!FIELDS.has(key)) return ['invalid_object', `${key} is not allowed`];
  }
  if (object.role !== 'user') return ['rejected', 'Only user messages can be created!'];
  return null;
}

let queue = [];
function onUpdate(device, data) {
  const problem = problemWith(data);
  const { store, object, clientId } = data;
  if (problem) return say(device, 'error', { code: problem[0], message: problem[1], clientId });
  const now = Date.now();
  if (!(object.$createdAt <= now)) object.$createdAt = now;
  queue.push({ device, store, id: '', clientId, object: JSON.stringify(object), duplicate: false });
  if (options.commit === 'each') flush();
  else if (queue.length === 1) setImmediate(flush);
}

function flush() {
  const batch = queue;
  queue = [];
  try {
    sql.begin.run();
    for (const push of batch) {
      push.id = nextId();
      const { device, store, id, clientId, object } = push;
      push.duplicate = sql.add.run(device.user.id, store, id, clientId, object).changes === 0;
    }
    sql.commit.run();
  } catch (error) {
    if (db.inTransaction) sql.rollback.run();
    for (const { device, clientId } of batch) {
      say(device, 'error', { code: 'unavailable', message: error.message, clientId });
    }
    return;
  }
  const corked = new Set();
  for (const push of batch) {
    const message = push.duplicate
      ? eventMessage(...sql.stored.get(push.device.user.id, push.clientId))
      : eventMessage(push.store, push.id, push.clientId, push.object);
    for (const device of push.duplicate ? [push.device] : push.device.user.devices) {
      if (!options['no-cork'] && !corked.has(device)) {
        corked.add(device);
        device.socket.cork();
      }
      device.ws.send(message);
    }
  }
  for (const device of corked) device.socket.uncork();
}

// ---- catch-up: pages, newest first, held back while the device does not read ----
const drained = (device) => new Promise((resolve) => device.ws.send('{"type":"pong"}', resolve));
async function onHello(device, { syncStatus = {} }) {
  device.user.devices.add(device);
  const stores = {};
  for (const store of STORES) {
    stores[store] = { head: sql.head.get(device.user.id, store) ?? null, reset: false };
  }
  say(device, 'server_hello', { protocol: 1, time: Date.now(), stores });
  for (const store of STORES) {
    const after = syncStatus[store] ?? '';
    let before = stores[store].head ? `${stores[store].head}~` : '';
    while (before) {
      const rows = sql.page.all(device.user.id, store, after, before);
      device.socket.cork();
      for (const row of rows) device.ws.send(eventMessage(row[0], row[1], row[2], row[3]));
      device.socket.uncork();
      before = rows.length === PAGE ? rows[rows.length - 1][1] : '';
      if (device.ws.bufferedAmount > BUFFERED_MAX) await drained(device);
      else await new Promise(setImmediate);
      if (device.ws.readyState !== device.ws.OPEN) return;
    }
    say(device, 'synced', { store, after: after || null, before: null, more: false });
  }
}

// ---- sockets ----
const sockets = new WebSocketServer({
  noServer: true, perMessageDeflate: false, maxPayload: 1 << 20,
});
const server = http.createServer((request, response) => response.writeHead(404).end());
server.on('upgrade', (request, socket, head) => {
  const name = new URL(request.url, 'http://localhost').searchParams.get('user');
  socket.setNoDelay(true);
  sockets.handleUpgrade(request, socket, head, (ws) => {
    if (!name) return ws.close(4401);
    const device = { ws, socket, user: userNamed(name) };
    ws.on('error', () => ws.terminate());
    ws.on('close', () => device.user.devices.delete(device));
    ws.on('message', (bytes) => {
      let message;
      try { message = JSON.parse(bytes); } catch { return ws.close(4400); }
      if (message.type === 'update') onUpdate(device, message.data ?? {});
      else if (message.type === 'client_hello') {
        onHello(device, message.data ?? {}).catch(() => ws.terminate());
      } else if (message.type === 'ping') ws.send('{"type":"pong"}');
      else say(device, 'error', { code: 'unknown_type', message: 'Unknown type' });
    });
  });
});
const [host, port] = options.listen.split(':');
server.listen({ host, port: Number(port), backlog: 4096 }, () => {
  console.log(`listening on ws://${host}:${server.address().port}`);
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => { if (queue.length) flush(); db.close(); process.exit(0); });
}
