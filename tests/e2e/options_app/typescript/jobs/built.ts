/** What only a bundle has. */

import path from "node:path";
import { names } from "@lib/names";
import { Loudness, say } from "@options/words";
import wasm from "../lib/add.wasm";
import query from "../lib/all.sql";
import settings from "../lib/settings.json";

declare const FLAVOUR: string;

const { instance } = await WebAssembly.instantiate(wasm);
const { late } = await import("../lib/late");

export const handler = async () => ({
  alias: names(2),
  banner: (globalThis as any).bannered,
  define: [FLAVOUR, process.env.MODE],
  dynamic: late,
  external: await import("not-installed" as string).catch((error) => error.code),
  filename: [path.basename(__filename), path.basename(__dirname), path.basename(import.meta.url)],
  json: settings,
  require: [typeof require, require("node:path") === path],
  text: query.trim(),
  wasm: (instance.exports.add as CallableFunction)(40, 2),
  workspace: say("hello", Loudness.Loud),
});
