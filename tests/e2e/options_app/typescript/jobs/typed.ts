import { jobHandler } from "devbridge/job";

declare module "devbridge/job" {
  export interface JobTypes {
    typed: {
      lines: { sku: string; count?: number }[];
      kind: "normal" | "express";
      due?: string;
    };
  }
}

export const handler = jobHandler("typed", async ({ lines, due }) => ({
  items: lines.reduce((sum, line) => sum + (line.count ?? 1), 0),
  due: due ?? null,
}));
