/** A verifying thread: does the jobs posted to it one after another and posts the answers. Ended by `terminate`. */
import { parentPort } from 'node:worker_threads';
import { loadKernels } from '../../../native/index.ts';
import { doVerifyJob, type VerifyReply, type VerifyRequest } from './verify-jobs.ts';

const kernels = loadKernels();

async function answer({ id, job }: VerifyRequest): Promise<VerifyReply> {
  try {
    return { id, ok: true, result: await doVerifyJob(kernels, job) };
  } catch (error) {
    return { id, ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on('message', async (request: VerifyRequest) => {
  parentPort?.postMessage(await answer(request));
});
