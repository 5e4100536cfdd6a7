// kill -9 under load, again and again: what was acknowledged is there once, and what was pushed
// again after the restart is there once. SYNCDB_E2E_KILLS sets how often (30).
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { connect, connectSynced } from './support/client.mjs';
import { startServer, temporaryFolder } from './support/server.mjs';

const KILLS = Number(process.env.SYNCDB_E2E_KILLS ?? 30);
const USERS = 4;
const IN_FLIGHT = 8;
const ALL = ['chatMessage', 'account', 'note'];

/** One user's device: what it pushed and was not acknowledged, and what was, with its event. */
class Device {
  constructor(user) {
    this.user = user;
    this.unsynced = new Map(); // clientId -> object
    this.acknowledged = new Map(); // clientId -> event
    this.pushed = 0;
  }

  async connect(t, server) {
    this.client = await connect(t, server, this.user);
    await this.client.hello({ note: this.head ?? null });
    for (const [clientId, object] of this.unsynced) this.client.push('note', object, { clientId });
    this.fill();
  }

  fill() {
    while (this.unsynced.size < IN_FLIGHT) {
      const object = { text: `${this.user} ${this.pushed++}` };
      this.unsynced.set(this.client.push('note', object, { clientId: randomUUID() }), object);
    }
  }

  /** Takes acknowledgements, and pushes anew for each, until `count` came or the server is gone. */
  async run(count) {
    for (let taken = 0; taken < count; ) {
      const event = await this.client.take('update').catch(() => null);
      if (!event) return;
      if (!this.head || event.id > this.head) this.head = event.id;
      if (!this.unsynced.delete(event.clientId)) continue; // caught up, known already
      this.acknowledged.set(event.clientId, event);
      taken++;
      this.fill();
    }
  }

  /** Waits until nothing is unsynced. */
  async drain() {
    while (this.unsynced.size > 0) {
      const event = await this.client.take('update');
      if (this.unsynced.delete(event.clientId)) this.acknowledged.set(event.clientId, event);
    }
  }
}

test(`after ${KILLS} kills every push is there once, under the id it was told`, async (t) => {
  const folder = temporaryFolder(t);
  const devices = Array.from({ length: USERS }, (_, i) => new Device(`user ${i}`));
  for (let kill = 0; kill < KILLS; kill++) {
    const server = await startServer(t, { folder });
    await Promise.all(devices.map((device) => device.connect(t, server)));
    // The first device to have its share of acknowledgements ends it for all, at some moment of the
    // others' work. The shares differ from kill to kill.
    await Promise.race(devices.map((device) => device.run(1 + ((kill * 7) % 40))));
    await server.kill();
    await Promise.all(devices.map((device) => device.client.closed));
  }

  const server = await startServer(t, { folder });
  await Promise.all(devices.map((device) => device.connect(t, server)));
  await Promise.all(devices.map((device) => device.drain()));
  for (const device of devices) {
    const reader = await connectSynced(t, server, device.user, ALL);
    const stored = reader.synced.events.map((m) => m.data);
    const clientIds = stored.map((event) => event.clientId);
    assert.equal(new Set(clientIds).size, clientIds.length, 'each push is there once');
    assert.equal(stored.length, device.pushed, 'and every push is there');
    for (const event of stored) assert.deepEqual(event, device.acknowledged.get(event.clientId));
    const ids = stored.map((event) => event.id);
    assert.deepEqual(ids, [...ids].sort().reverse(), 'newest first');
  }
});
