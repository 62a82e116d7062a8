// A function that does what it is told by the event, or by the last part of the path.

const MUCH = 6 * 1024 * 1024 + 98;

const sleep = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

const ways: Record<string, (event: any) => unknown> = {
  raises: () => {
    throw new RangeError("no such thing");
  },
  raises_for_a_reason: () => {
    throw new Error("cannot load", { cause: new TypeError("the reason") });
  },
  returns_no_json: () => ({ a: 1n }),
  exits: () => process.exit(3),
  exits_at_once: () => process.exit(0),
  is_killed: () => {
    process.kill(process.pid, "SIGKILL");
    return sleep(60_000);
  },
  sleeps: () => sleep(60_000),
  waits: async () => {
    await sleep(3000);
    return "waited";
  },
  answers_too_much: () => "x".repeat(MUCH + 1),
  answers_much: () => "x".repeat(MUCH),
  answers_binary: () => ({
    statusCode: 200,
    headers: { "content-type": "image/png" },
    body: Buffer.from([...Array(256).keys()]).toString("base64"),
    isBase64Encoded: true,
  }),
  answers_wrong_base64: () => ({ statusCode: 200, body: "%%%", isBase64Encoded: true }),
  sets_cookies: () => ({
    statusCode: 204,
    cookies: ["a=1; Secure", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
  }),
  answers_text: () => ({ statusCode: 201, body: "gr\u00fcn" }),
  answers_without_status: () => ({ message: "gr\u00fcn", body: "x", headers: { a: "b" } }),
  answers_a_string: () => 'so "to say"',
  answers_numbers: () => [1, 2.5, true],
  answers_nothing: () => undefined,
  answers_empty: () => ({}),
  answers_without_body: () => ({ statusCode: 200 }),
  has_a_status_that_is_no_number: () => ({ statusCode: "many", body: "x" }),
  has_a_broken_status: () => ({ statusCode: 200.5, body: "x" }),
  has_a_body_that_is_no_text: () => ({ statusCode: 200, body: { a: 1 } }),
  has_headers: () => ({
    statusCode: 200,
    headers: { "X-Text": "a,b", "X-Number": 7, "X-Flag": true },
    multiValueHeaders: { "X-Many": ["a", "b"] },
  }),
  has_headers_that_are_none: () => ({ statusCode: 200, headers: { "X-Many": ["a", "b"] } }),
  tells: (event) => ({
    body: event.body?.length ?? null,
    base64: event.isBase64Encoded,
    cookies: event.cookies ?? null,
    authorizer: event.requestContext.authorizer ?? null,
  }),
};

export const handler = async (event: any) =>
  ways[(event.pathParameters ?? event).does](event);

export const batch = async (event: any) => ({
  batchItemFailures: event.Records.filter((each: any) => each.body === "bad").map(
    (each: any) => ({ itemIdentifier: each.messageId }),
  ),
});
