export const handler = async (payload: { card: string; fail: boolean }) => {
  if (payload.fail) throw new RangeError(payload.card);
  return payload.card;
};
