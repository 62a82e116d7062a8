export const handler = async () => {};

throw new RangeError("no such thing");
