// The package's types: test/types compiles under --strict (what must be an error says so there),
// and no `any` is in what is published.
import assert from "node:assert/strict";
import test from "node:test";
import ts from "typescript";
import { errorsOf, filesIn, here } from "./support/compile.mjs";

const TESTS = filesIn(here("../types"), ".ts").concat(filesIn(here("../types"), ".tsx"));

test("the package's types say what they should, under --strict", () => {
  assert.ok(TESTS.length >= 2);
  assert.deepEqual(errorsOf(TESTS), []);
});

test("they also do where the project asks for exact optional properties", () => {
  const strictest = { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
  assert.deepEqual(errorsOf(TESTS, strictest), []);
});

test("no `any` is in the published types", () => {
  const files = filesIn(here("../../dist"), ".d.ts");
  assert.ok(files.length > 5);
  for (const file of files) {
    const source = ts.createSourceFile(file, ts.sys.readFile(file), ts.ScriptTarget.ES2022, true);
    const visit = (node) => {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      assert.notEqual(node.kind, ts.SyntaxKind.AnyKeyword, `${file}:${line + 1}`);
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
});
