/** `node worker.mjs`: one invocation, as the environment says; see invocation.mjs. */

import { fileURLToPath } from "node:url";
import { main, prepare } from "./invocation.mjs";

process.argv.splice(1, Infinity, fileURLToPath(import.meta.url));
prepare();
main();
