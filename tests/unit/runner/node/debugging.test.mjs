import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { halted } from "../../../../runner/node/debugging.mjs";

const folder = mkdtempSync(join(tmpdir(), "halted-"));
const note = join(folder, "note");
after(() => rmSync(folder, { recursive: true }));

test("a process that was never halted has no note", () => {
  assert.equal(halted(note), 0);
});

test("it was halted for as long as the note says", () => {
  writeFileSync(note, "1500 0");
  assert.equal(halted(note), 1500);
});

test("and while it still is, until now", () => {
  const began = Date.now();
  writeFileSync(note, `1500 ${began - 1000}`);
  const found = halted(note);
  assert.ok(2500 <= found && found <= 2500 + Date.now() - began);
});
