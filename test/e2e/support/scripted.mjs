// A server that holds nothing, and answers pushes as a test says.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { WebSocketServer } from 'ws';
import { cleanup } from './cleanup.mjs';

/** An id of an event of now; a higher `number` is a later one. */
export function eventId(number) {
  const time = Date.now().toString(16).padStart(12, '0');
  const behind = number.toString(16).padStart(3, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${behind}-8000-000000000000`;
}

/** Every device has all of `stores` at once; `answer(data, send)` is called with each push. */
export async function startScripted(t, stores, answer) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  const stop = () => {
    server.clients.forEach((ws) => ws.terminate());
    server.close();
  };
  cleanup(t, stop);
  const heads = Object.fromEntries(stores.map((store) => [store, { head: null, reset: false }]));
  const hello = { protocol: 1, database: randomUUID(), time: Date.now(), stores: heads };
  server.on('connection', (ws) => {
    const send = (type, data) => ws.send(JSON.stringify({ type, data }));
    ws.on('message', (text) => {
      const { type, data } = JSON.parse(text);
      if (type === 'client_hello') {
        send('server_hello', hello);
        const all = { after: null, before: null, more: false };
        for (const store of stores) send('synced', { store, ...all });
      } else if (type === 'update') {
        answer(data, send);
      }
    });
  });
  await once(server, 'listening');
  return { url: `ws://127.0.0.1:${server.address().port}`, stop };
}
