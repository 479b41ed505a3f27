/** The verifier on the caller's thread: for tests and the simulator, where threads would bring real time in. */
import type { Kernels } from '../../../native/index.ts';
import type { SignatureBatch } from '../../codec/index.ts';
import type { PohBatch } from '../../poh/index.ts';
import { ThreadError } from './thread-error.ts';
import type { ModuleJob, Verifier } from './verifier.ts';
import { doVerifyJob, type VerifyJob } from './verify-jobs.ts';

export class InlineVerifier implements Verifier {
  readonly #kernels: Kernels;
  #isStopped = false;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  pohVerify(batch: PohBatch): Promise<number> {
    return this.#do({ kind: 'poh', batch }) as Promise<number>;
  }

  ed25519Verify(batch: SignatureBatch): Promise<Uint8Array> {
    return this.#do({ kind: 'ed25519', batch }) as Promise<Uint8Array>;
  }

  run({ moduleUrl, functionName, argument }: ModuleJob): Promise<unknown> {
    return this.#do({ kind: 'module', url: moduleUrl.href, functionName, argument });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
  }

  async #do(job: VerifyJob): Promise<unknown> {
    if (this.#isStopped) throw new ThreadError('stopped', 'the verifier was stopped');
    try {
      return await doVerifyJob(this.#kernels, job);
    } catch (error) {
      throw new ThreadError('job-failed', error instanceof Error ? error.message : String(error));
    }
  }
}
