/**
 * Which proofs are checked next, and how they are cut into jobs.
 *
 * Invariants
 * - Identities that hold a paid place come first, then those that committed earlier: a thousand newcomers delay nobody who is paid.
 * - A look takes at most `CLAIMS_PER_LOOK_MAX` proofs, and a job at most `JOB_SIZE_BYTES_MAX` of encryption (but one claim): jobs are not interrupted,
 *   so their length bounds what else waits for the thread.
 */
import { byteKey } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/index.ts';
import { type LedgerRules, type PendingProof, pendingProofs, readSegmentPlaces } from '../../ledger/index.ts';

/** Most proofs taken in one look. */
export const CLAIMS_PER_LOOK_MAX = 512;
/** Most claims checked in one pass: bounds a job's memory (two cipher blocks and a sample list each). */
const CLAIMS_PER_JOB_MAX = 64;
/** Encryption in one job: a fifth of a second where a core does 2.5 GB/s. */
const JOB_SIZE_BYTES_MAX: number = 512 * 1024 * 1024;

/** Proofs of one segment, those to be checked first in front. */
export interface SegmentProofs {
  readonly segment: number;
  readonly proofs: readonly PendingProof[];
}

/**
 * The proofs to check now, by segment; segments with the most urgent proof first.
 * @param isWanted leaves out those known already
 * @throws RecordError
 */
export function dueProofs(
  rules: LedgerRules,
  state: StateReader,
  seat: number,
  slot: number,
  isWanted: (proof: PendingProof) => boolean,
): SegmentProofs[] {
  const due = [...pendingProofs(rules, state, seat, slot)].filter(isWanted);
  const placed = placedIdentities(state, new Set(due.map(({ segment }) => segment)));
  const hasPlace = ({ segment, identity }: PendingProof): boolean => placed.has(`${segment}/${byteKey(identity)}`);
  const ranked = due
    .map((proof) => ({ proof, rank: hasPlace(proof) ? 0 : 1 }))
    .sort((a, b) => a.rank - b.rank || a.proof.record.since - b.proof.record.since);
  const bySegment = new Map<number, PendingProof[]>();
  for (const { proof } of ranked.slice(0, CLAIMS_PER_LOOK_MAX)) {
    const proofs = bySegment.get(proof.segment);
    if (proofs === undefined) bySegment.set(proof.segment, [proof]);
    else proofs.push(proof);
  }
  return [...bySegment].map(([segment, proofs]) => ({ segment, proofs }));
}

function placedIdentities(state: StateReader, segments: ReadonlySet<number>): Set<string> {
  const placed = new Set<string>();
  for (const segment of segments)
    for (const { identity } of readSegmentPlaces(state, segment).places) placed.add(`${segment}/${byteKey(identity)}`);
  return placed;
}

/**
 * Cuts the claims on one segment into jobs: as many as there are cores to do them at once, more when that would make them too long.
 * @param claimSizeBytes what one claim costs to encrypt; 0 when it is checked without the segment
 */
export function jobsOf<T>(claims: readonly T[], lanes: number, claimSizeBytes: number): T[][] {
  const fitting = claimSizeBytes === 0 ? CLAIMS_PER_JOB_MAX : Math.floor(JOB_SIZE_BYTES_MAX / claimSizeBytes);
  const size = Math.max(1, Math.min(CLAIMS_PER_JOB_MAX, fitting, Math.ceil(claims.length / lanes)));
  return Array.from({ length: Math.ceil(claims.length / size) }, (_, job) =>
    claims.slice(job * size, (job + 1) * size),
  );
}
