import { Job, PayloadInvalid } from "devbridge/job";

export const handler = async (event: any) => {
  try {
    return { jobId: (await Job.typed.run({ payload: event })).jobId };
  } catch (error) {
    if (error instanceof PayloadInvalid) return { refused: error.where };
    throw error;
  }
};
