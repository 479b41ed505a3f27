/** One of a replicator's threads: does the jobs it is sent, one after the other, and answers each. */
import { parentPort } from 'node:worker_threads';
import { loadKernels } from '../../native/index.ts';
import { type ReplicaJob, runReplicaJob } from './jobs.ts';

/** A job with a number to answer under. */
export interface JobMessage {
  readonly id: number;
  readonly job: ReplicaJob;
}

export type JobReply =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string };

const kernels = loadKernels();

parentPort?.on('message', async ({ id, job }: JobMessage) => {
  let reply: JobReply;
  try {
    reply = { id, ok: true, result: await runReplicaJob(kernels, job) };
  } catch (error) {
    reply = { id, ok: false, message: (error as Error).message };
  }
  parentPort?.postMessage(reply);
});
