export enum Loudness {
  Quiet = "quiet",
  Loud = "loud",
}

export function say(word: string, loudness: Loudness): string {
  if (!word) throw new RangeError("there is no word");
  return loudness === Loudness.Loud ? word.toUpperCase() : word;
}
