/** The values of bound secrets, fetched from SSM once for each process. */
import { getParameters } from "./aws.js";
import { bound, values } from "./bound.js";
import { CloudError, NotFound } from "./errors.js";

/** SSM's GetParameters takes no more at once. */
const SSM_NAMES = 10;
/** Parameter's name -> the value that SSM gave. @type {Map<string, string>} */
const known = new Map();
/** @type {Promise<void>} */
let fetching = Promise.resolve();

/**
 * Fetch all secrets that are bound here, so that none is found missing later. What was fetched is
 * kept until the process ends.
 * @throws {NotFound} some are not set
 * @throws {CloudError} SSM did not answer, or refused
 */
export async function fetchSecrets() {
  const parameters = Object.values(values("Secret", "parameterName"));
  // One after the other: two handlers that begin at once ask once.
  const before = fetching;
  const own = before.catch(() => {}).then(() => fetch(parameters));
  fetching = own;
  await own;
  const missing = parameters.filter((name) => !known.has(name));
  if (missing.length) throw notSet(missing);
}

/**
 * @param {string} name
 * @returns {string}
 */
export function secretValue(name) {
  const parameter = bound("Secret", "parameterName", name);
  const value = known.get(parameter);
  if (value !== undefined) return value;
  throw new NotFound(`secret '${name}' has not been fetched`, {
    where: parameter,
    remedy: 'await fetchSecrets() of "devbridge/resources" first; jobHandler does it by itself',
  });
}

/** @param {string[]} parameters */
async function fetch(parameters) {
  const wanted = [...new Set(parameters)].filter((name) => !known.has(name)).sort();
  for (let start = 0; start < wanted.length; start += SSM_NAMES) {
    const names = wanted.slice(start, start + SSM_NAMES);
    let found;
    try {
      found = await getParameters(names);
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      throw new CloudError(`the bound secrets could not be fetched: ${error.what}`, {
        where: `SSM, ${names.join(", ")}`,
        cause: error,
      });
    }
    for (const [name, value] of Object.entries(found)) known.set(name, value);
  }
}

/**
 * The error for secrets whose parameter /devbridge/APP/STAGE/secrets/NAME is missing.
 * @param {string[]} parameters
 */
function notSet(parameters) {
  // Only the embedded cloud is found by an endpoint.
  const local = process.env.AWS_ENDPOINT_URL ? " --local" : "";
  const sorted = [...parameters].sort();
  const parts = sorted.map((parameter) => parameter.split("/"));
  const names = parts.map((each) => `'${each.at(-1)}'`).join(", ");
  const commands = parts.map(
    (each) => `\`devbridge secrets set ${each.at(-1)} --stage ${each.at(-3) ?? ""}${local}\``,
  );
  return new NotFound(
    parts.length === 1
      ? `secret ${names} is bound and has no value`
      : `secrets ${names} are bound and have no value`,
    { where: sorted.join(", "), remedy: `run ${commands.join(", ")}` },
  );
}
