/**
 * What the node asks of its verifying threads. A port: the real adapter is verify-pool.ts; inline-verifier.ts does the same on the
 * caller's thread, for tests and the simulator.
 */
import type { SignatureBatch } from '../../codec/index.ts';
import type { PohBatch } from '../../poh/index.ts';

/**
 * A function of a module to run beside the built-in jobs, e.g. the check of a storage proof. The module exports
 * `functionName(kernels, argument)`, which returns its result or a promise of it; argument and result must be structured-cloneable.
 */
export interface ModuleJob {
  /** Compiled module, from `workerUrl(import.meta.url, './x.ts')`: the program's own code, never a peer's word. */
  readonly moduleUrl: URL;
  readonly functionName: string;
  /** Uint8Arrays in here that are views of larger buffers are copied with the whole buffer: slice them first. */
  readonly argument: unknown;
  /** Buffers inside `argument` to give away instead of copying. */
  readonly transfer?: readonly ArrayBuffer[];
}

/** Checks batches. Arrays passed in are given away: do not touch them afterwards. */
export interface Verifier {
  /** @returns index of the first wrong stretch, or -1 @throws ThreadError */
  pohVerify(batch: PohBatch): Promise<number>;
  /** @returns one byte a signature, 1 good, 0 bad @throws ThreadError */
  ed25519Verify(batch: SignatureBatch): Promise<Uint8Array>;
  /** Runs a module's function; jobs of this kind wait for the built-in ones. @throws ThreadError `job-failed` and others */
  run(job: ModuleJob): Promise<unknown>;
  /** Ends the threads; pending calls are rejected with `stopped`. Idempotent. */
  stop(): Promise<void>;
}
