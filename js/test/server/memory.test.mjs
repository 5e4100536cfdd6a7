// Memory stays as it is, however many events go through rules and subscribers. SYNCDB_EVENTS says
// how many: by default so many that 200 bytes an event show; `make long` takes 1,000,000.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import {
  cleanup, connectSynced, deadline, temporaryFolder, test, until,
} from "./support.mjs";

const EVENTS = Number(process.env.SYNCDB_EVENTS ?? 20_000);
const USERS = 20;
const IN_FLIGHT = 50;
const MIB = 1 << 20;

const program = fileURLToPath(new URL("memory_server.mjs", import.meta.url));

async function startServer(t) {
  const server = fork(program, [temporaryFolder(t)], { execArgv: ["--expose-gc"] });
  cleanup(t, async () => {
    if (server.exitCode !== null) return;
    server.disconnect();
    await deadline(once(server, "exit"), () => "the server does not end");
  });
  const [{ port }] = await once(server, "message");
  return { server, url: `ws://127.0.0.1:${port}` };
}

async function memoryOf(server) {
  server.send("memory");
  const [usage] = await once(server, "message");
  return usage;
}

/** Pushes `count` numbers from `from` on, some at a time. */
async function pushNumbers(device, from, count) {
  for (let n = from; n < from + count; n += IN_FLIGHT) {
    const some = Math.min(IN_FLIGHT, from + count - n);
    const ids = Array.from({ length: some }, (_, k) => device.push("counter", { n: n + k + 1 }));
    for (const id of ids) {
      const { type, data } = await device.answerTo(id);
      assert.equal(type, "update", JSON.stringify(data));
    }
    device.takeAll(); // partials, and what the server pushed
  }
}

test(`${EVENTS} events leave no memory behind`, { timeout: 3_600_000 }, async (t) => {
  const { server, url } = await startServer(t);
  const devices = [];
  for (let n = 0; n < USERS; n++) {
    devices.push(await connectSynced(t, { url }, `user ${n}`, ["counter"]));
  }
  const eighth = Math.ceil(EVENTS / USERS / 8);
  const seen = [];
  for (let part = 0; part < 8; part++) {
    await Promise.all(devices.map((device) => pushNumbers(device, part * eighth, eighth)));
    const all = (part + 1) * eighth * USERS;
    seen.push(await until(async () => {
      const usage = await memoryOf(server);
      return usage.told >= all && usage;
    }, "the events"));
  }
  const [early, late] = [seen[3], seen[7]];
  const told = seen.map(({ told, heapUsed, rss }) =>
    `${told}: heap ${(heapUsed / MIB).toFixed(1)}, rss ${(rss / MIB).toFixed(1)} MiB`);
  t.diagnostic(told.join("; "));
  const grown = (name) => late[name] - early[name];
  assert.ok(late.failed > 0, "subscribers failed too");
  assert.ok(grown("heapUsed") < 2 * MIB, told.join("\n"));
  assert.ok(grown("external") < 2 * MIB, told.join("\n"));
  assert.ok(grown("rss") < 24 * MIB, told.join("\n"));
});
