/** The node's threads: PoH in real time, and verification in parallel, behind two ports. */
export { InlinePoh } from './inline-poh.ts';
export { InlineVerifier } from './inline-verifier.ts';
export type { PohPace } from './poh-messages.ts';
export type { PohListener, PohRate, PohService, PohStart } from './poh-service.ts';
export { type PohThreadOptions, startPohThread } from './poh-thread.ts';
export { ThreadError, type ThreadErrorCode } from './thread-error.ts';
export type { ModuleJob, Verifier } from './verifier.ts';
export { startVerifyPool, type VerifyPoolOptions } from './verify-pool.ts';
