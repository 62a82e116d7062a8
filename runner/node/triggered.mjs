/** What a trigger's record becomes on its way to the handler: see `runner/triggered.py`. */

const MARK = '{"devbridge:trigger":';
const MAX_VARIABLE = 96 * 1024;
const { parse, stringify } = JSON;

/**
 * @typedef {object} Triggered
 * @property {Buffer} payload a JSON text.
 * @property {{ kind: string, name: string }} trigger
 * @property {unknown} event the record as AWS has handed it over.
 */

/**
 * What a payload has that a trigger has made; undefined if it is another one.
 * @param {Buffer} body
 * @returns {Triggered | undefined}
 */
export function triggered(body) {
  if (body.toString("latin1", 0, MARK.length) !== MARK) return undefined;
  const whole = parse(body.toString("utf8"));
  const head = whole["devbridge:trigger"];
  if (!("payload" in whole && "event" in whole)) return undefined;
  const trigger = { kind: String(head.kind ?? ""), name: String(head.name ?? "") };
  return { payload: Buffer.from(stringify(whole.payload)), trigger, event: whole.event };
}

/**
 * What the environment says of a run.
 * @param {{ attempt: number, maxAttempts: number, event: unknown }} context
 * @returns {Record<string, string>}
 */
export function variables({ attempt, maxAttempts, event }) {
  /** @type {Record<string, string>} */
  const told = { DEVBRIDGE_ATTEMPT: String(attempt), DEVBRIDGE_MAX_ATTEMPTS: String(maxAttempts) };
  const text = event === undefined ? "" : stringify(event);
  return text && Buffer.byteLength(text) <= MAX_VARIABLE ? { ...told, DEVBRIDGE_EVENT: text } : told;
}
