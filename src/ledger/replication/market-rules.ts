/**
 * The market's parameters, as genesis gives them, and the relations between them. What makes them *sound* is another question, which docs/soundness.md
 * and `cairn soundness` answer: a genesis may hold parameters that are NOT SOUND.
 */
import type { Amount } from '../../../native/index.ts';
import type { ScheduleRules } from './schedule.ts';

/** How storage is proven: sampled roots, openings of a committed root, or both in every proof. */
export const REPLICATION_MODES = ['stream', 'open', 'both'] as const;
export type ReplicationMode = (typeof REPLICATION_MODES)[number];

/** Thousandths in a whole. */
export const PERMILLE = 1000;
/** Most identities paid for one segment: their places stand in one record. */
export const REPLICAS_PER_SEGMENT_MAX = 64;
export const LOCKOUT_PERIODS_MAX = 1_000_000;
/** Most draws of either kind: the library's bound. */
export const DRAWS_MAX = 65_536;
/** Largest openings a validator may have to fetch. */
export const OPENING_SIZE_BYTES_MAX: number = 64 * 1024 * 1024;
/** Openings begin with a replica leaf; a fake's first bytes stand in its place. */
export const OPENING_HEAD_SIZE_BYTES = 32;

/** The market's part of genesis. */
export interface MarketRules extends ScheduleRules {
  readonly minimumDeposit: Amount;
  readonly rewardPerProof: Amount;
  readonly mode: ReplicationMode;
  readonly layers: 1 | 2 | 4;
  /** Mode open: leaves drawn in each proof, k. */
  readonly samplesPerProof: number;
  /** Mode open: blocks of the segment whose encoding each proof shows, e. Drawn with the period's seed, so nobody can grind them. */
  readonly checksPerProof: number;
  /** The target: how many proven identities are paid for each segment. */
  readonly replicasPerSegment: number;
  /** Deposit that each replica ties up, besides `minimumDeposit`. */
  readonly depositPerReplica: Amount;
  /** Rewards are released after at least this many whole periods, and before twice as many and one; 0: at once. */
  readonly rewardLockoutPeriods: number;
  /** A proof for period p counts in blocks of slots up to p * slotsPerPeriod + this; later ones are rejected as late. */
  readonly proofDeadlineSlots: number;
  /** Slots after the deadline in which validators' sealed findings may land; as many are left for their secrets. */
  readonly sealSlots: number;
  /** Misses in a row that a replica survives. */
  readonly missesMax: number;
  /** Share of `depositPerReplica` lost for each miss in a row when a replica lapses or is retired. */
  readonly slashPerMissPermille: number;
  /** Share of a validator's bond lost for approving a fake. */
  readonly slashPerFakePermille: number;
  /** Fakes an identity may reveal, as a share of its proofs. */
  readonly fakeSharePermille: number;
}

/** The parts of genesis' history that openings depend on. */
export interface SegmentShape {
  readonly segmentSizeBytes: number;
  readonly leafSizeBytes: number;
}

/** An upper bound of a proof's openings in bytes: every drawn leaf another one, each with its whole path. */
export function openingSizeBytesBound(
  rules: Pick<MarketRules, 'samplesPerProof' | 'checksPerProof' | 'layers'>,
  { segmentSizeBytes, leafSizeBytes }: SegmentShape,
): number {
  const leafCount = segmentSizeBytes / leafSizeBytes;
  const replicaLeaves = Math.min(leafCount, rules.samplesPerProof + rules.checksPerProof * 2 ** rules.layers);
  const segmentLeaves = Math.min(leafCount, rules.checksPerProof);
  return (replicaLeaves + segmentLeaves) * (leafSizeBytes + 32 * Math.ceil(Math.log2(Math.max(2, leafCount))));
}

/** Relations that do not hold: the field to change and what is wrong with it. */
export function* marketProblems(rules: MarketRules, shape: SegmentShape): Iterable<readonly [field: string, string]> {
  const { slotsPerPeriod, periodsPerRotation, proofDeadlineSlots, sealSlots, mode } = rules;
  const needed = proofDeadlineSlots + 2 * sealSlots;
  if (needed >= slotsPerPeriod)
    yield [
      'sealSlots',
      `proofDeadlineSlots + 2 * sealSlots must be below slotsPerPeriod (${slotsPerPeriod}): proofs, sealed findings and their secrets follow one another within a period; found ${needed}`,
    ];
  if (mode === 'stream') return;
  if (periodsPerRotation < 2)
    yield [
      'periodsPerRotation',
      `must be at least 2 in mode ${mode}: a rotation's first period has no commitment before it; found ${periodsPerRotation}`,
    ];
  if (shape.leafSizeBytes % 16 !== 0 || shape.leafSizeBytes > 65_536 || shape.segmentSizeBytes % 1024 !== 0)
    yield [
      'mode',
      `${mode} needs history.leafSizeBytes to be a multiple of 16 up to 65536 and segmentSizeBytes one of 1024`,
    ];
  const bound = openingSizeBytesBound(rules, shape);
  if (bound > OPENING_SIZE_BYTES_MAX)
    yield [
      'samplesPerProof',
      `openings may take ${Math.ceil(bound)} bytes, at most ${OPENING_SIZE_BYTES_MAX} are fetched`,
    ];
}
