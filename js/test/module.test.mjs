// The module, from wherever it may come.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadModule } from "../dist/core/module.js";
import { Device, account, message } from "./support/core.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const file = new URL("../dist/syncdb.wasm", import.meta.url);
const bytes = await readFile(file);

/** Serves the module under paths that say how. */
async function serve(t) {
  const seen = [];
  const server = createServer((request, response) => {
    seen.push(request.url);
    const [, how] = request.url.split("/");
    if (how === "missing") return response.writeHead(404).end();
    const types = { plain: "application/octet-stream", odd: "application/wasm; charset=x" };
    response.writeHead(200, { "content-type": types[how] ?? "application/wasm" });
    response.end(how === "torn" ? bytes.subarray(9) : bytes);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  return { seen, url: (how) => `http://127.0.0.1:${server.address().port}/${how}` };
}

const works = async (module) => {
  const device = await Device.make({ module: await module });
  await device.push({ text: "it works" });
};

test("the one in the package", async () => {
  await works(loadModule());
  assert.equal(await loadModule(), await loadModule());
});

test("a file's URL, bytes, and a module", async () => {
  await works(loadModule(file));
  await works(loadModule(file.href));
  await works(loadModule(bytes));
  const module = await loadModule(new Uint8Array(bytes).buffer);
  assert.equal(await loadModule(module), module);
});

test("a server's, whatever content type it gives; loaded once", async (t) => {
  const { url, seen } = await serve(t);
  await works(loadModule(url("wasm")));
  await works(loadModule(new URL(url("wasm"))));
  await works(loadModule(url("plain")));
  await works(loadModule(url("odd")));
  await works(loadModule(await fetch(url("plain"))));
  assert.deepEqual(seen, ["/wasm", "/plain", "/odd", "/plain"]);
});

test("what cannot be loaded is told, and tried again the next time", async (t) => {
  const { url, seen } = await serve(t);
  await assert.rejects(loadModule(url("missing")), /404/);
  await assert.rejects(loadModule(url("missing")), /404/);
  await assert.rejects(loadModule(url("torn")), WebAssembly.CompileError);
  await assert.rejects(loadModule(new Uint8Array(8)), WebAssembly.CompileError);
  await assert.rejects(loadModule("file:///nowhere/syncdb.wasm"), { code: "ENOENT" });
  assert.deepEqual(seen, ["/missing", "/missing", "/torn"]);
});

test("a module of an application's C file has its stores, and their rules", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "syncdb-module-"));
  t.after(() => rm(folder, { recursive: true }));
  const out = join(folder, "chat.wasm");
  await promisify(execFile)(join(root, "bindings/wasm/build"),
    ["-o", out, join(root, "examples/chat/stores.c")]);
  const module = await loadModule(await readFile(out));
  const asked = [];
  const chat = { name: "chat_message", type: "event", schema: null, rules: null, check: null };
  const mine = { ...account, schema: null, check: (action) => void asked.push(action) };
  const device = await Device.make({ module, stores: [chat, mine] });
  await device.push({ role: "user", content: "hi" });
  await assert.rejects(device.push({ role: "user" }), { code: "invalid_object" });
  await assert.rejects(device.push({ role: "assistant", content: "hi" }),
    { code: "rejected", message: "Only user messages can be created!" });
  await device.ask({ kind: "push", store: 1, object: '{"name":"Ada"}' });
  await assert.rejects(device.ask({ kind: "push", store: 1, object: '{"name":""}' }),
    { code: "invalid_object", path: "/name" });
  assert.deepEqual(asked, ["create"]);
  await assert.rejects(Device.make({ module, stores: [{ ...chat, name: "other" }] }),
    { code: "bad_definition", message: "other: the module has no store of this name" });
  await works((async () => module)()); // and stores of JavaScript beside them
  assert.equal(message.name, chat.name);
});
