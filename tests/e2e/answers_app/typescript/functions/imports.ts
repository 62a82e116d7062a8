import { createRequire } from "node:module";

createRequire(import.meta.url)("nothing-of-that-name");

export const handler = async () => {};
