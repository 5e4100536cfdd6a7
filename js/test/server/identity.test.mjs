// Who a device is: authenticate, JWT, dev-auth.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { connect, connectSynced, note, open, serve, test } from "./support.mjs";

const is = (code) => (error) => error.name === "SyncError" && error.code === code;

async function serveBy(t, options) {
  const db = open(t, options);
  const { port } = await db.listen();
  return { db, url: `ws://127.0.0.1:${port}` };
}

const bearer = (token) => ({ headers: { Authorization: `Bearer ${token}` } });

test("authenticate is told what the device shows, and its answer is the user", async (t) => {
  const asked = [];
  const { db, url } = await serveBy(t, {
    authenticate: async (request) => {
      asked.push(request);
      await new Promise((resolve) => setImmediate(resolve));
      return request.token === "ada's secret" ? "ada" : null;
    },
  });
  const device = await connectSynced(t, { url: `${url}/path?x=1` }, null, ["note"], {
    headers: { ...bearer("ada's secret").headers, Cookie: "a=b", "X-Forwarded-For": "10.0.0.1" },
  });
  const made = await device.pushed("note", { text: "mine" });
  assert.equal((await db.get(db.as("ada"), note, made.id)).object.text, "mine");
  const [request] = asked;
  assert.equal(request.token, "ada's secret");
  assert.equal(request.remoteAddress, "127.0.0.1");
  assert.equal(request.url, "/path?x=1");
  assert.equal(request.headers.cookie, "a=b");
  assert.equal(request.headers["x-forwarded-for"], "10.0.0.1");
  assert.equal(request.headers.upgrade, "websocket");
});

test("who is nobody is closed with 4401 and told nothing", async (t) => {
  const errors = [];
  const answers = {
    nobody: () => null,
    throws: () => {
      throw new Error("the user database is away");
    },
    rejects: () => Promise.reject(new Error("the user database is away")),
    wrong: () => 42,
    empty: () => "",
    getter: () => ({
      get user() {
        throw new Error("the user database is away");
      },
    }),
  };
  const { db, url } = await serveBy(t, { authenticate: ({ token }) => answers[token]() });
  db.on("error", (error) => errors.push(error.message));
  for (const token of Object.keys(answers)) {
    const device = await connect(t, { url }, null, bearer(token));
    device.send("client_hello", { syncStatus: {} });
    assert.equal((await device.closed).code, 4401, token);
    assert.deepEqual(device.messages, [], token);
  }
  assert.equal(errors.length, 4);
});

test("a token may come in the hello, which waits for the answer", async (t) => {
  const { url } = await serveBy(t, {
    authenticate: async ({ token }) => (token === "late" ? { user: "ada" } : null),
  });
  const device = await connect(t, { url }, null);
  const greeting = await device.hello({}, { token: "late" });
  assert.ok(greeting.database);
  await device.pushed("note", { text: "x" });
});

test("an identity that expires closes the connection with 4401", async (t) => {
  const { url } = await serveBy(t, {
    authenticate: () => ({ user: "ada", expiresMs: Date.now() + 1500 }),
  });
  const device = await connectSynced(t, { url }, null, ["note"], bearer("x"));
  assert.equal((await device.closed).code, 4401);
});

test("an authenticate without an end does not keep a device for ever", async (t) => {
  const { url } = await serveBy(t, {
    helloTimeoutMs: 100,
    authenticate: () => new Promise(() => {}),
  });
  const device = await connect(t, { url }, null, bearer("x"));
  device.send("client_hello", { syncStatus: {} });
  assert.notEqual((await device.closed).code, 1000);
  assert.deepEqual(device.messages, []);
});

test("a JWT of the secret is believed, another is not", async (t) => {
  const jwtSecret = "0123456789abcdef0123456789abcdef";
  const { db, url } = await serveBy(t, { jwtSecret });
  const text = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = (secret) => {
    const body = `${text({ alg: "HS256", typ: "JWT" })}.${text({ sub: "ada" })}`;
    return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
  };
  const device = await connectSynced(t, { url }, null, ["note"], bearer(signed(jwtSecret)));
  const { id } = await device.pushed("note", { text: "x" });
  assert.ok(await db.get(db.as("ada"), note, id));
  const other = await connect(t, { url }, null, bearer(signed("another secret of 32 bytes......")));
  assert.equal((await other.closed).code, 4401);
});

test("there is exactly one way of identity", async (t) => {
  const both = open(t, { devAuth: true, authenticate: () => "ada" });
  await assert.rejects(both.listen(), is("unauthorized"));
  const { db } = await serve(t);
  await assert.doesNotReject(db.listen(), "several ports are fine");
});
