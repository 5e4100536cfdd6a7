// The TypeScript compiler over files of a folder, and over texts that are in no file.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const filesIn = (folder, ending) =>
  readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

const OPTIONS = {
  target: ts.ScriptTarget.ES2022, lib: ["lib.es2022.d.ts", "lib.dom.d.ts"],
  module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
  jsx: ts.JsxEmit.ReactJSX, strict: true, noEmit: true, types: [],
};

/**
 * What the compiler says of files under --strict: a line an error.
 *
 * @param files - Their paths.
 * @param texts - Texts by name, as if they lay beside the tests.
 */
export function errorsOf(files, { texts = {}, ...options } = {}) {
  const virtual = new Map(Object.entries(texts).map(([name, text]) => [here(`../${name}`), text]));
  const all = { ...OPTIONS, ...options };
  const host = ts.createCompilerHost(all);
  const { fileExists, readFile } = host;
  host.fileExists = (path) => virtual.has(path) || fileExists(path);
  host.readFile = (path) => virtual.get(path) ?? readFile(path);
  const program = ts.createProgram([...files, ...virtual.keys()], all, host);
  // what npm installed is not for us to check
  const ours = program.getSourceFiles().filter(({ fileName }) => !/node_modules/.test(fileName));
  const found = ours.flatMap((file) => ts.getPreEmitDiagnostics(program, file));
  return found.map((one) => {
    const line = one.file?.getLineAndCharacterOfPosition(one.start).line;
    const text = ts.flattenDiagnosticMessageText(one.messageText, " ");
    return `${one.file?.fileName}:${line + 1}: ${text}`;
  });
}
