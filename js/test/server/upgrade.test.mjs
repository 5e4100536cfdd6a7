// Sharing the port of a server of the application's own: http, https, Express, Fastify.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { spawnSync } from "node:child_process";
import express from "express";
import Fastify from "fastify";
import {
  cleanup, connect, connectSynced, deadline, note, open, temporaryFolder, test, until,
} from "./support.mjs";

const wire = ["note"];

/** Has `server` hand its upgrades over, and listens; gives the port. */
async function share(t, db, server) {
  server.on("upgrade", (request, socket, head) => db.handleUpgrade(request, socket, head));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanup(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return server.address().port;
}

/** A device lives its whole life over `url`. */
async function live(t, db, url, options = {}) {
  const device = await connectSynced(t, { url }, "ada", wire, options);
  const { id } = await device.pushed("note", { text: "over a port that is shared" });
  assert.ok(await db.get(db.as("ada"), note, id));
  const pushed = await db.push(db.as("ada"), note, { text: "x".repeat(200_000) });
  const large = await device.take("update", (data) => data.id === pushed.id);
  assert.equal(large.object.text.length, 200_000);
  await device.pushedAll("note", Array.from({ length: 500 }, (_, n) => ({ text: `${n}` })));
  return device;
}

function certificate(t) {
  const folder = temporaryFolder(t);
  const [key, cert] = [`${folder}/key.pem`, `${folder}/cert.pem`];
  const made = spawnSync("openssl", [
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    "-keyout", key, "-out", cert, "-subj", "/CN=localhost",
    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
  ]);
  assert.equal(made.status, 0, String(made.stderr));
  return { key, cert };
}

test("an http server goes on serving, and devices connect on its port", async (t) => {
  const db = open(t, { devAuth: true });
  const server = http.createServer((request, response) => response.end("the page"));
  const port = await share(t, db, server);
  const device = await live(t, db, `ws://127.0.0.1:${port}`);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "the page");
  await device.close();
  await until(async () => {
    const count = await new Promise((resolve) => server.getConnections((_, n) => resolve(n)));
    return count <= 1; // fetch keeps one
  }, "the connection's end");
});

test("an https server too: Node does the TLS", async (t) => {
  const db = open(t, { devAuth: true });
  const { key, cert } = certificate(t);
  const server = https.createServer({ key: readFileSync(key), cert: readFileSync(cert) });
  const port = await share(t, db, server);
  const device = await live(t, db, `wss://127.0.0.1:${port}`, { ca: readFileSync(cert) });
  await db.close();
  assert.equal((await device.closed).code, 1001, "the close frame comes through");
});

test("a listener of the library's own may have TLS", async (t) => {
  const db = open(t, { devAuth: true });
  const { key, cert } = certificate(t);
  const { port } = await db.listen({ tls: { key, cert } });
  await live(t, db, `wss://127.0.0.1:${port}`, { ca: readFileSync(cert) });
  const plain = await db.listen();
  await live(t, db, `ws://127.0.0.1:${plain.port}`);
});

test("Express", async (t) => {
  const db = open(t, { devAuth: true });
  const app = express();
  app.get("/hello", (request, response) => response.send("from Express"));
  const port = await share(t, db, http.createServer(app));
  await live(t, db, `ws://127.0.0.1:${port}/sync`);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/hello`)).text(), "from Express");
});

test("Fastify", async (t) => {
  const db = open(t, { devAuth: true });
  const app = Fastify();
  app.get("/hello", async () => "from Fastify");
  app.server.on("upgrade", (request, socket, head) => db.handleUpgrade(request, socket, head));
  await app.listen({ port: 0, host: "127.0.0.1" });
  cleanup(t, () => app.close());
  const { port } = app.server.address();
  await live(t, db, `ws://127.0.0.1:${port}/sync`);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/hello`)).text(), "from Fastify");
});

test("what came behind the request is not lost, however late it is handed over", async (t) => {
  const db = open(t, { devAuth: true });
  const server = http.createServer();
  server.on("upgrade", (request, socket, head) => {
    setTimeout(() => db.handleUpgrade(request, socket, head), 50);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanup(t, () => server.close());
  const frame = Buffer.from('{"type":"client_hello","data":{"syncStatus":{}}}');
  const masked = Buffer.concat([
    Buffer.from([0x81, 0x80 | frame.length, 0, 0, 0, 0]), frame,
  ]);
  const { Socket } = await import("node:net");
  const socket = new Socket().connect(server.address().port, "127.0.0.1");
  cleanup(t, () => socket.destroy());
  let received = "";
  socket.setEncoding("latin1").on("data", (text) => (received += text));
  socket.write(
    "GET /?user=ada HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  socket.write(masked.subarray(0, 10));
  setTimeout(() => socket.write(masked.subarray(10)), 10);
  await until(() => received.includes("server_hello"), `a server_hello in ${received}`);
});

test("an upgrade that is none is answered, and one after the close is cut", async (t) => {
  const db = open(t, { devAuth: true });
  db.on("error", () => {});
  const port = await share(t, db, http.createServer());
  const ask = (headers) => new Promise((resolve) => {
    const request = http.get({ port, host: "127.0.0.1", headers });
    request.on("response", (response) => resolve(response.statusCode));
    request.on("upgrade", () => resolve(101));
    request.on("error", () => resolve("cut"));
  });
  const broken = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" };
  assert.equal(await ask(broken), 400);
  await db.close();
  assert.equal(await deadline(ask(broken), () => "it hangs"), "cut");
  const late = connect(t, { url: `ws://127.0.0.1:${port}` }, "ada");
  await assert.rejects(late);
});
