export const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);
