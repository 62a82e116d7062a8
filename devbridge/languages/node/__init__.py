"""Node.js: TypeScript and JavaScript, bundled by esbuild, run by node, asked for types by tsc.

`language` is the door; all else here is behind it.
"""
