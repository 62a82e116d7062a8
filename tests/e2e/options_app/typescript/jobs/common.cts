/** In CommonJS. */

import path from "node:path";
import { names } from "../lib/names";

export async function handler() {
  return {
    alias: names(1),
    filename: path.basename(__filename),
    require: [typeof require.resolve, require("node:path") === path],
  };
}
