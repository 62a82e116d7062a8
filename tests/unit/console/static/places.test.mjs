import assert from "node:assert/strict";
import test from "node:test";
import { Keys } from "../../../../devbridge/console/static/logic/keys.mjs";
import {
  editorLink,
  functionPath,
  routeOf,
  safeLink,
} from "../../../../devbridge/console/static/logic/routes.mjs";
import { pieces } from "../../../../devbridge/console/static/logic/source.mjs";
import { cut, visible } from "../../../../devbridge/console/static/logic/visible.mjs";

test("an address is a page, and names may be anything", () => {
  assert.deepEqual(routeOf("/"), { page: "functions", name: "" });
  assert.deepEqual(routeOf(functionPath("POST /a b%")), { page: "function", name: "POST /a b%" });
  assert.deepEqual(routeOf("/runs/1234"), { page: "run", name: "1234" });
  assert.deepEqual(routeOf("/stage/"), { page: "stage", name: "" });
  for (const path of ["/stage/x", "/nothing", "/runs/a/b"])
    assert.equal(routeOf(path).page, "nowhere");
  assert.equal(routeOf("/runs/%zz").name, "%zz");
});

test("only addresses are followed that run nothing", () => {
  for (const good of ["https://a.b", "http://127.0.0.1:1/x", "vscode://file/a", "/runs/1"])
    assert.equal(safeLink(good), good);
  for (const bad of [
    "javascript:alert(1)",
    " javascript:x",
    "data:text/html,x",
    "//evil.com",
    "ftp://a",
    "",
    null,
  ])
    assert.equal(safeLink(bad), null);
});

test("a file is opened where it is", () => {
  assert.equal(editorLink("/home/a b/x#1.py", 3), "vscode://file/home/a%20b/x%231.py:3");
  assert.equal(editorLink("C:\\a\\x.py", 3), "vscode://file/C:/a/x.py:3");
  assert.equal(editorLink("jobs/x.py", 3), null);
});

test("letters are for the page, but not for who is writing", () => {
  const keys = new Keys();
  const press = (key, more = {}) => ({
    key,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    shiftKey: false,
    ...more,
  });
  assert.equal(keys.name(press("r"), false), "r");
  assert.equal(keys.name(press("r"), true), "");
  assert.equal(keys.name(press("r", { ctrlKey: true }), false), "");
  assert.equal(keys.name(press("Enter", { metaKey: true }), true), "ctrl+Enter");
  assert.deepEqual(
    [keys.name(press("g"), false), keys.name(press("r"), false), keys.name(press("r"), false)],
    ["", "g r", "r"],
  );
  assert.equal(keys.name(press("Escape"), true), "Escape");
});

test("a line of source has its colours, and is whole", () => {
  const line = '    raise ValueError(f"num {x}")  # why "not"';
  const made = pieces(line, "jobs/a.py");
  assert.equal(made.map((piece) => piece.text).join(""), line);
  assert.deepEqual(
    made.filter((piece) => piece.kind).map((piece) => [piece.kind, piece.text]),
    [
      ["keyword", "raise"],
      ["call", "ValueError"],
      ["string", 'f"num {x}"'],
      ["comment", '# why "not"'],
    ],
  );
  assert.deepEqual(
    pieces("const a = `x${1}`; // b", "a.ts")
      .filter((piece) => piece.kind)
      .map((piece) => piece.kind),
    ["keyword", "string", "comment"],
  );
});

test("what cannot be seen is made to be seen", () => {
  assert.equal(visible("a\u0000\u001b\u007f\u0085\r\tb\n"), "a\\x00\\x1b\\x7f\\x85\\x0d\tb\n");
  assert.equal(visible("\u202egpj.exe\u2066\u200b\ufeff"), "\\u202egpj.exe\\u2066\\u200b\\ufeff");
  assert.equal(visible("žluťoučký 日本 👍"), "žluťoučký 日本 👍");
  assert.equal(cut("abcdef", 4), "abc…");
});
