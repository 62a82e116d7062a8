/** In several files, with short names. */

class OutOfWords extends Error {}

export const handler = async (payload: { fail?: boolean }) => {
  const { late } = await import("../lib/late");
  const { say, Loudness } = await import("@options/words");
  if (payload.fail) throw new OutOfWords(late);
  return say(late, Loudness.Quiet);
};
