/** What `bind` gave, in environment variables. */
import { NotFound } from "./errors.js";

/**
 * The environment variable that carries one property of a bound resource.
 * @param {string} kind
 * @param {string} prop
 * @param {string} name
 */
export function variable(kind, prop, name) {
  return `DEVBRIDGE_${kind}_${prop}_${name.replaceAll("-", "_")}`;
}

/**
 * The property's value in this process.
 * @param {string} kind
 * @param {string} prop
 * @param {string} name
 * @returns {string}
 * @throws {NotFound} this function or job does not bind that resource
 */
export function bound(kind, prop, name) {
  const key = variable(kind, prop, name);
  const value = process.env[key];
  if (value !== undefined) return value;
  const names = Object.keys(values(kind, prop)).sort();
  const meant = names.find((each) => plain(each) === plain(name));
  throw new NotFound(`${kind} '${name}' is not bound here`, {
    where: `environment variable ${key}`,
    remedy: meant
      ? `write ${kind}.${meant}`
      : `add it to \`bind\` in app.py; bound are: ${names.join(", ") || "none"}`,
  });
}

/**
 * A name without what people write in different ways: `pyJob` is `py-job`.
 * @param {string} name
 */
const plain = (name) => name.replaceAll(/[-_]/g, "").toLowerCase();

/**
 * What is bound of one kind: name (with '_' for '-') -> the property's value.
 * @param {string} kind
 * @param {string} prop
 * @returns {Record<string, string>}
 */
export function values(kind, prop) {
  const prefix = variable(kind, prop, "");
  return Object.fromEntries(
    Object.entries(process.env)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), /** @type {string} */ (value)]),
  );
}

/**
 * An object whose properties are made of their names, and are those of `names` to who lists them.
 * @template T
 * @param {(name: string) => T} make
 * @param {() => string[]} names
 * @returns {Record<string, T>}
 */
export function byName(make, names) {
  /** @param {string | symbol} name */
  const isName = (name) => typeof name === "string" && /^[A-Za-z][\w-]*$/.test(name);
  return new Proxy(/** @type {Record<string, T>} */ (Object.create(null)), {
    get(_, name) {
      // Who awaits or prints the object itself asks for these two; no resource is meant.
      if (!isName(name) || name === "then" || name === "toJSON") return undefined;
      return make(/** @type {string} */ (name));
    },
    has: (_, name) => isName(name) && names().includes(String(name).replaceAll("-", "_")),
    ownKeys: () => names(),
    getOwnPropertyDescriptor: (_, name) =>
      names().includes(String(name))
        ? { value: make(String(name)), enumerable: true, configurable: true }
        : undefined,
    set: (_, name) => {
      throw new TypeError(`${String(name)}: what is bound is read-only`);
    },
  });
}
