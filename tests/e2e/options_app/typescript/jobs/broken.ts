const VALUE = JSON.parse("not json");

export const handler = async () => VALUE;
