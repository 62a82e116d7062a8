new Function("(");

export const handler = async () => {};
