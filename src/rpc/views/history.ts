/** The history that a node keeps. A part of the port in node-api.ts. */
import type { Height } from '../../../native/index.ts';

/** The history stream, and what of it this node still keeps. */
export interface HistoryStatus {
  /** `pruned`: old bodies go once enough replicas of their segment are proven. */
  readonly mode: 'archive' | 'pruned';
  /** First block kept, and the first segment of which bytes are. */
  readonly startHeight: Height;
  readonly firstSegment: number;
  /** Bytes of the whole stream, of what is kept here, and of what pruning took away here. */
  readonly lengthBytes: number;
  readonly keptBytes: number;
  readonly prunedBytes: number;
  readonly segmentSizeBytes: number;
  /** Completed segments. */
  readonly segments: number;
  /** Segments kept only because the ledger shows too few proven replicas of the first of them. */
  readonly waitingSegments: number;
  /** Segments not kept here of which the ledger now shows fewer proven replicas than it took to let them go. */
  readonly segmentsAtRisk: number;
}
