// MQTT as lambda-live-debugger and SST v2 use it: mqtt.js 4.2.8 (in aws-iot-device-sdk) over
// WebSocket, QoS 1 both ways, JSON in numbered pieces of JSON.

import mqtt from "mqtt";

const PIECE = 50_000;

export async function connect(port, topics, onMessage) {
  const client = mqtt.connect(`ws://127.0.0.1:${port}/mqtt`, { keepalive: 60, reconnectPeriod: 0 });
  const pieces = new Map();
  client.on("message", (_topic, payload) => {
    const piece = JSON.parse(payload.toString());
    const known = pieces.get(piece.id) ?? pieces.set(piece.id, new Map()).get(piece.id);
    known.set(piece.index, piece);
    if (known.size === piece.count) {
      pieces.delete(piece.id);
      const sorted = [...known.values()].sort((one, other) => one.index - other.index);
      onMessage(JSON.parse(sorted.map(({ data }) => data).join("")));
    }
  });
  await new Promise((resolve, reject) => client.once("connect", resolve).once("error", reject));
  client.on("close", () => process.exit(1));
  await new Promise((resolve, reject) =>
    client.subscribe(topics, { qos: 1 }, (error) => (error ? reject(error) : resolve())),
  );
  return client;
}

/** Resolves when the broker has acknowledged all of it. */
export async function publish(client, topic, message) {
  const text = JSON.stringify(message);
  const id = Math.random().toString();
  const count = Math.ceil(text.length / PIECE);
  for (let index = 0; index < count; index += 1) {
    const data = text.slice(index * PIECE, (index + 1) * PIECE);
    const piece = JSON.stringify({ id, index, count, data });
    await new Promise((resolve) => client.publish(topic, piece, { qos: 1 }, resolve));
  }
}
