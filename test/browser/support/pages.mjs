// Pages of tests: bundled from a module, served with the policy that the package promises to keep.
import { build } from 'esbuild';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanup } from '../../e2e/support/cleanup.mjs';

/** The project's folder. */
export const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../..');

/** No inline scripts, no eval: WebAssembly and the page's own files, and sockets to any server. */
export const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; " +
  "connect-src 'self' ws://127.0.0.1:*";

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
};

const SHELL = '<!doctype html><html lang="en"><meta charset="utf-8"><title>test</title>';

/**
 * One ES module of `source`, which may import the package's entries ("syncdb/client") and, by paths
 * from the project's folder ("./js/dist/storage/memory.js"), its files.
 */
export async function bundle(source, options = {}) {
  const result = await build({
    stdin: { contents: source, resolveDir: root, sourcefile: 'page.js' },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    write: false,
    logLevel: 'silent',
    ...options,
  });
  return result.outputFiles[0].text;
}

/**
 * Serves `files` ({'/path': text or bytes}; '/': an empty page that runs '/page.js') on a free
 * port. Options: `policy` (null: none), `headers`. Gives {url, files, close}; `files` may be
 * changed.
 */
export async function startPages(t, files, options = {}) {
  const { policy = POLICY, headers = {} } = options;
  const served = { '/': `${SHELL}<script type="module" src="/page.js"></script>`, ...files };
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const body = served[pathname];
    if (body === undefined) return response.writeHead(404).end();
    const all = { 'content-type': TYPES[path.extname(pathname)] ?? TYPES['.html'], ...headers };
    if (policy) all['content-security-policy'] = policy;
    response.writeHead(200, all).end(body);
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  cleanup(t, () => (server.listening ? close() : undefined));
  return { url: `http://127.0.0.1:${server.address().port}/`, files: served, close };
}

/**
 * A page that runs `source`, bundled. What the test is to reach, it puts on `window`; when it is
 * through, `window.ready` is true: openPage, then `page.waitForFunction(() => window.ready)`.
 */
export async function startTestPage(t, source, options = {}) {
  const script = await bundle(`${source}\nwindow.ready = true;`, options.bundle);
  return startPages(t, { '/page.js': script, '/favicon.ico': '', ...options.files }, options);
}

/** A file of the project, as bytes. */
export const projectFile = (...names) => readFileSync(path.join(root, ...names));
