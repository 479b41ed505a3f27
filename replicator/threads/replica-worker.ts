/** One of a replicator's threads: does the jobs it is sent, one after the other, and answers each. */
import { parentPort } from 'node:worker_threads';
import { loadKernels } from '../../native/index.ts';
import { diskFiles } from '../../storage/index.ts';
import { Replica } from '../replica-file.ts';
import { runReplicaJob } from './jobs.ts';
import type { JobMessage, JobReply, OpenJob } from './messages.ts';

const kernels = loadKernels();

async function open({ path, shape, seed, unchecked }: OpenJob): Promise<Uint8Array> {
  const replica = await Replica.open(kernels, await diskFiles().open(path, 'read'));
  try {
    return await replica.makeOpening(shape, seed, { unchecked });
  } finally {
    await replica.close();
  }
}

parentPort?.on('message', async ({ id, job }: JobMessage) => {
  let reply: JobReply;
  const moved: ArrayBuffer[] = [];
  try {
    const result = job.kind === 'open' ? await open(job) : await runReplicaJob(kernels, job);
    if (job.kind === 'open') moved.push((result as Uint8Array).buffer as ArrayBuffer);
    reply = { id, ok: true, result };
  } catch (error) {
    reply = { id, ok: false, message: (error as Error).message };
  }
  parentPort?.postMessage(reply, moved);
});
