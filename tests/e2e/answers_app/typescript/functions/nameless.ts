export let handler: (() => Promise<void>) | undefined = async () => {};
handler = undefined;
