/** The jobs of a verifying thread, and how one is done: the same code on a worker and inline. */
import type { Kernels } from '../../../native/index.ts';
import type { SignatureBatch } from '../../codec/index.ts';
import { type PohBatch, verifyPohBatch } from '../../poh/index.ts';

/** What a verifying thread is asked. */
export type VerifyJob =
  | { readonly kind: 'poh'; readonly batch: PohBatch }
  | { readonly kind: 'ed25519'; readonly batch: SignatureBatch }
  | { readonly kind: 'module'; readonly url: string; readonly functionName: string; readonly argument: unknown };

/** One job on its way to a thread, and the answer on its way back. */
export interface VerifyRequest {
  readonly id: number;
  readonly job: VerifyJob;
}
export type VerifyReply =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string };

/** Does one job. Rejects with whatever the kernels or the module's function throw. */
export async function doVerifyJob(kernels: Kernels, job: VerifyJob): Promise<unknown> {
  switch (job.kind) {
    case 'poh':
      return verifyPohBatch(kernels, job.batch);
    case 'ed25519':
      return verifySignatures(kernels, job.batch);
    case 'module':
      return runModule(kernels, job.url, job.functionName, job.argument);
  }
}

function verifySignatures(kernels: Kernels, batch: SignatureBatch): Uint8Array {
  const verdicts = new Uint8Array(batch.offsets.length - 1);
  kernels.ed25519Verify(batch.publicKeys, batch.signatures, batch.messages, batch.offsets, verdicts);
  return verdicts;
}

async function runModule(kernels: Kernels, url: string, functionName: string, argument: unknown): Promise<unknown> {
  const module: Record<string, unknown> = await import(url);
  const run = module[functionName];
  if (typeof run !== 'function') throw new TypeError(`${url} exports no function ${functionName}`);
  return run(kernels, argument);
}
