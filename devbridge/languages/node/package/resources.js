/**
 * What `bind` gave, read back at run time: Table.notes.tableName, Secret.api_key.value.
 * The names are those of app.py; '-' may be written '_'.
 */
import { bound, byName, values } from "./lib/bound.js";
import { secretValue } from "./lib/secrets.js";

/**
 * The bound resources of one kind by name.
 * @param {string} kind
 * @param {string} first
 * @param {...string} more
 */
function bindings(kind, first, ...more) {
  /** @param {string} name */
  const one = (name) => {
    const read = [first, ...more].map((prop) => [prop, { enumerable: true, get: () => bound(kind, prop, name) }]);
    return Object.defineProperties({}, Object.fromEntries(read));
  };
  return byName(one, () => Object.keys(values(kind, first)).sort());
}

export const Table = bindings("Table", "tableName");
export const Bucket = bindings("Bucket", "bucketName");
export const Queue = bindings("Queue", "queueUrl");
export const Topic = bindings("Topic", "topicArn");
export const Stream = bindings("Stream", "streamName");
export const EventBus = bindings("EventBus", "busName");
export const Config = bindings("Config", "value");
export const FileSystem = bindings("FileSystem", "path");
export const Function = bindings("Function", "functionName");
export const Api = bindings("Api", "url");
export const UserPool = bindings("UserPool", "userPoolId", "clientId", "issuer");
export const Secret = byName(
  // Not enumerable: who prints what is bound prints no secret.
  (name) => Object.defineProperty({}, "value", { get: () => secretValue(name) }),
  () => Object.keys(values("Secret", "parameterName")).sort(),
);

export { CloudError, CredentialsError, DevbridgeError, NotFound } from "./lib/errors.js";
export { fetchSecrets } from "./lib/secrets.js";
