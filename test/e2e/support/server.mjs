// Starts the built command as a server on a free port, and stops it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanup } from './cleanup.mjs';
import { deadline } from './wait.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/** Where the built programs are. CTest says it; by hand, the release build is taken. */
export const binaries = process.env.SYNCDB_BIN_DIR ?? path.join(here, '../../../build/bin');
export const syncdb = path.join(binaries, 'syncdb');

/** The same server in Node, which SYNCDB_SERVE=node takes in its place. */
const nodeServer = path.join(here, '../../../js/test/server/serve.mjs');

/** A folder of its own for the test `t`, gone when it ends. */
export function temporaryFolder(t) {
  const folder = mkdtempSync(path.join(tmpdir(), 'syncdb-e2e-'));
  cleanup(t, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes the stores file that `serve --stores` reads, and gives its path. */
export function writeStores(folder, stores) {
  const file = path.join(folder, 'stores.json');
  writeFileSync(file, JSON.stringify({ stores }));
  return file;
}

/** The brief's stores, with its rules declared: users may create messages and delete them. */
export const chatStores = [
  {
    name: 'chat_message',
    type: 'event',
    schema: {
      type: 'object',
      properties: { role: { type: 'string' }, content: { type: 'string' } },
      required: ['role', 'content'],
      additionalProperties: false,
    },
    rules: { create: { properties: { role: { const: 'user' } } }, update: false, delete: true },
  },
  {
    name: 'account',
    type: 'singular',
    schema: {
      type: 'object',
      properties: { name: { type: 'string' } },
      required: ['name'],
    },
  },
  // Not of the brief: a store whose objects may be replaced.
  {
    name: 'note',
    type: 'event',
    schema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  },
];

export class Server {
  constructor(child) {
    this.child = child;
    this.log = '';
    this.running = true;
    this.exited = once(child, 'close').then(
      ([code, signal]) => ({ code, signal }),
      (error) => ({ code: error.code }), // it could not be started
    );
    this.exited.then(() => (this.running = false));
    child.stderr.setEncoding('utf8').on('data', (text) => (this.log += text));
  }

  /** Resolves when the line `listening on URL` was printed. */
  async listening() {
    let out = '';
    const line = new Promise((resolve, reject) => {
      this.child.stdout.setEncoding('utf8').on('data', (text) => {
        out += text;
        const found = /^listening on (wss?:\/\/\S+)$/m.exec(out);
        if (found) resolve(found[1]);
      });
      this.exited.then(({ code, signal }) =>
        reject(new Error(`the server ended, ${code ?? signal}: ${out}${this.log}`)),
      );
    });
    this.url = await deadline(line, () => `no "listening on" line: ${out}${this.log}`);
    this.port = Number(new URL(this.url).port);
    this.http = this.url.replace(/^ws/, 'http');
    return this;
  }

  /** Asks it to end, and expects that it does so without complaint. */
  async stop(signal = 'SIGTERM') {
    this.child.kill(signal);
    const end = await deadline(this.exited, () => `the server does not end: ${this.log}`);
    if (end.code !== 0) throw new Error(`it ended with ${JSON.stringify(end)}: ${this.log}`);
    return end;
  }

  /** Ends it at once, with no chance to tidy up. */
  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** The value of a line of /metrics; `name` with its labels, as it stands there. */
  async metric(name) {
    const text = await (await fetch(`${this.http}/metrics`)).text();
    const line = text.split('\n').find((l) => l.startsWith(`${name} `));
    if (!line) throw new Error(`no metric ${name} in:\n${text}`);
    return Number(line.slice(name.length + 1));
  }
}

/** Starts `program` and waits until it listens. Stops it, and checks its exit, when `t` ends. */
export async function startProgram(t, program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const server = new Server(child);
  cleanup(t, async () => {
    if (server.running) await server.stop();
  });
  return server.listening();
}

/**
 * `syncdb serve` for the test `t`. Options: `folder` (where the database is; one of its own when
 * absent), `stores`, `identity` (arguments; --dev-auth when absent), `args` (more of them).
 */
export async function startServer(t, options = {}) {
  const folder = options.folder ?? temporaryFolder(t);
  const args = serveArguments(folder, options);
  const server =
    process.env.SYNCDB_SERVE === 'node'
      ? await startProgram(t, process.execPath, [nodeServer, ...args.slice(1)])
      : await startProgram(t, syncdb, args);
  server.folder = folder;
  return server;
}

export function serveArguments(folder, options = {}) {
  return [
    'serve',
    ...['--stores', writeStores(folder, options.stores ?? chatStores)],
    ...['--db', `sqlite://${folder}/database.sqlite`],
    ...['--listen', options.listen ?? '127.0.0.1:0'],
    ...(options.identity ?? ['--dev-auth']),
    ...(options.args ?? []),
  ];
}

/** Runs the command to its end with `input` on stdin. Gives {code, stdout, stderr}. */
export async function run(args, input = '', program = syncdb) {
  const child = spawn(program, args);
  const result = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'])
    child[stream].setEncoding('utf8').on('data', (text) => (result[stream] += text));
  child.stdin.on('error', () => {}); // it may end without reading
  child.stdin.end(input);
  const closed = once(child, 'close');
  const [code] = await deadline(closed, () => `${args[0]} does not end: ${result.stderr}`).catch(
    (error) => {
      child.kill('SIGKILL');
      throw error;
    },
  );
  return { code, ...result };
}
