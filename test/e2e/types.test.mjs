// `syncdb types`, and stores that come from a shared object. What the types say is tested in js/.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connectSynced } from './support/client.mjs';
import { chatStores, run, startServer, temporaryFolder, writeStores } from './support/server.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const types = (...args) => run(['types', ...args]);

/** A shared object of C code that has seen the header. */
function compile(t, code) {
  const folder = temporaryFolder(t);
  const source = path.join(folder, 'stores.c'), object = path.join(folder, 'stores.so');
  writeFileSync(source, `#include <syncdb/store.h>\n${code}`);
  execFileSync('cc', ['-shared', '-fPIC', `-I${root}include`, '-o', object, source]);
  return object;
}

const chat = (t) => compile(t, readFileSync(`${root}examples/chat/stores.c`, 'utf8').replace(
  '"stores.h"', `"${root}examples/chat/stores.h"`));

test('types of a stores file go to standard output, or to a file', async (t) => {
  const folder = temporaryFolder(t);
  const file = writeStores(folder, chatStores);
  const { code, stdout, stderr } = await types('--stores', file);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^\/\/ Made by `syncdb types` of [\w.]+json: /);
  assert.match(stdout, /export const chatMessage = jsonStore<ChatMessage, "event">\(\{/);

  const output = path.join(folder, 'stores.ts');
  const written = await types('--stores', file, '--output', output);
  assert.deepEqual([written.code, written.stdout], [0, '']);
  assert.equal(readFileSync(output, 'utf8'), stdout);
});

test('types of the chat example are those of its C file', async (t) => {
  const { code, stdout, stderr } = await types('--stores', chat(t));
  assert.equal(code, 0, stderr);
  assert.equal(stdout, [
    '// Made by `syncdb types` of stores.so: what is changed here by hand is lost.',
    'import { moduleStore } from "syncdb/module";', '',
    'export interface ChatMessage {', '  role: string;', '  content: string;', '}', '',
    'export const chatMessage = moduleStore<ChatMessage, "event">("chat_message", "event");', '',
    'export interface Account {', '  name: string;', '}', '',
    'export const account = moduleStore<Account, "singular">("account", "singular");', '',
  ].join('\n'));
});

test('what is not valid is refused with the place, and nothing is written', async (t) => {
  const folder = temporaryFolder(t);
  const output = path.join(folder, 'stores.ts');
  const refused = async (file, said) => {
    const { code, stdout, stderr } = await types('--stores', file, '--output', output);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, said);
    assert.equal(existsSync(output), false);
  };
  const store = { name: 'a', type: 'event', schema: { if: true } };
  await refused(writeStores(folder, [store]), /\/stores\/0\/schema\/if: the keyword "if"/);
  await refused(path.join(folder, 'none.json'), /cannot read .*none\.json/);
  const text = path.join(folder, 'text.json');
  writeFileSync(text, '{"stores":');
  await refused(text, /text\.json: byte 10: /);
  writeFileSync(text, '\x7fELF');
  await refused(text, /cannot load .*text\.json/);
  await refused(compile(t, 'int other;'), /it has no syncdb_stores/);
  const bad = 'const sdb_store_definition syncdb_stores[] = {' +
    '{.size = sizeof(sdb_store_definition), .name = "a", .type = SDB_STORE_EVENT,' +
    ' .schema = "{\\"properties\\":{\\"b\\":{\\"if\\":true}}}"}, {.name = NULL}};';
  await refused(compile(t, bad), /a: the keyword "if" is not supported, at \/properties\/b\/if/);
  const none = 'const sdb_store_definition syncdb_stores[] = {{.name = NULL}};';
  await refused(compile(t, none), /there are no stores/);
  const huge = { name: 'a', type: 'event', schema: { properties: {} } };
  const file = writeStores(folder, [huge]);
  writeFileSync(file, readFileSync(file, 'utf8').replace('{}', '{"b":{"maximum":1e400}}'));
  await refused(file, /real number overflow/);
});

test('an output that cannot be written is said', async (t) => {
  const folder = temporaryFolder(t);
  const file = writeStores(folder, chatStores);
  const { code, stderr } = await types('--stores', file, '--output', path.join(folder, 'no/x.ts'));
  assert.equal(code, 2);
  assert.match(stderr, /cannot write .*no\/x\.ts: No such file/);
});

test('other commands take a shared object too, with its rules', async (t) => {
  const object = chat(t);
  const check = (action, text) => run(
    ['check', '--stores', object, '--store', 'chat_message', '--action', action], text);
  assert.equal((await check('create', '{"role":"user","content":"hi"}')).code, 0);
  const refused = await check('create', '{"role":"assistant","content":"hi"}');
  assert.equal(refused.code, 1);
  assert.equal(JSON.parse(refused.stdout).message, 'Only user messages can be created!');
});

test('a server of a shared object asks its rules', async (t) => {
  const server = await startServer(t, { args: ['--stores', chat(t)] });
  const client = await connectSynced(t, server, 'ann', ['chatMessage', 'account']);
  await client.pushed('chatMessage', { role: 'user', content: 'hi' });
  const theirs = client.push('chatMessage', { role: 'assistant', content: 'hi' });
  const error = await client.errorOf(theirs);
  assert.deepEqual([error.code, error.message], ['rejected', 'Only user messages can be created!']);
});
