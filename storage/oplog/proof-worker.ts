/** A thread that checks segments, one after another, until there are none or nobody wants them. */
import { parentPort, workerData } from 'node:worker_threads';
import { type KernelsName, kernelsOf } from '../../native/index.ts';
import { diskFiles } from '../files/disk-files.ts';
import type { ProofOrder, SegmentProof } from './log-visitor.ts';
import { ProofTurns } from './proof-turns.ts';
import { proveSegment } from './segment-proof.ts';

/** What the thread starts with. */
export interface ProofWorkerData {
  readonly order: ProofOrder;
  readonly kernels: KernelsName;
  /** A `ProofTurns`'. */
  readonly turns: SharedArrayBuffer;
}

/** One for each segment taken. */
export interface ProofWorkerReply {
  readonly index: number;
  readonly proof: SegmentProof | undefined;
}

const { order, kernels: name, turns: memory } = workerData as ProofWorkerData;
const { present, ...log } = order;
const turns = new ProofTurns(memory);
const input = { ...log, files: diskFiles(), kernels: kernelsOf(name), isStopped: () => turns.isStopped };
for (let turn = turns.take(present.length); turn !== undefined; turn = turns.take(present.length)) {
  const index = present[turn]!;
  const proof = await proveSegment(input, index);
  parentPort?.postMessage({ index, proof } satisfies ProofWorkerReply);
}
