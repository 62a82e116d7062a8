export const handler = async (event: unknown) => ({ echo: event });
