/** The WebAssembly module: loaded once for each place that it is in, and compiled as it arrives. */

import { unsort } from "./sorted.js";

/** Where the module is. */
export type ModuleSource = string | URL | Response | BufferSource | WebAssembly.Module;

const loaded = new Map<string, Promise<WebAssembly.Module>>();

/** The rest of a stream. */
const bytesOf = (stream: BodyInit): Promise<ArrayBuffer> => new Response(stream).arrayBuffer();

/** The module that the package has inside; it comes as a chunk of its own, where one bundles. */
async function embedded(): Promise<WebAssembly.Module> {
  const { deflated } = await import("./embedded.js");
  const bytes = Uint8Array.from(atob(deflated), (character) => character.charCodeAt(0));
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return WebAssembly.compile(unsort(new Uint8Array(await bytesOf(inflated))));
}

/** A server that names another content type, or says more of it, is no reason to fail. */
async function compile(response: Response): Promise<WebAssembly.Module> {
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${response.statusText}`);
  return response.headers.get("content-type")?.toLowerCase() === "application/wasm"
    ? WebAssembly.compileStreaming(response)
    : WebAssembly.compile(await response.arrayBuffer());
}

async function load(url: string): Promise<WebAssembly.Module> {
  if (!url.startsWith("file:")) return compile(await fetch(url));
  // By a name that bundlers do not follow into the page.
  const files = "node:fs/promises";
  type Files = typeof import("node:fs/promises");
  const { readFile } = (await import(/* @vite-ignore */ files)) as Files;
  return WebAssembly.compile(await readFile(new URL(url)));
}

/**
 * The module at `source`; the one in the package where it is left out. A URL (in Node also `file:`)
 * is loaded once; where that failed, it is tried again the next time. Rejects with what went wrong:
 * it cannot be loaded, it is no module, or the page's Content-Security-Policy forbids WebAssembly
 * (`script-src` needs 'wasm-unsafe-eval').
 */
export function loadModule(source?: ModuleSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return Promise.resolve(source);
  if (source instanceof Response) return compile(source);
  if (source !== undefined && typeof source !== "string" && !(source instanceof URL))
    return WebAssembly.compile(source);
  const url = source === undefined ? "" : String(source);
  let module = loaded.get(url);
  if (!module) {
    module = url ? load(url) : embedded();
    loaded.set(url, module);
    module.catch(() => loaded.delete(url));
  }
  return module;
}
