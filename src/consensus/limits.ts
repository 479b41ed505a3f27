/**
 * Named bounds of everything the machine keeps, derived from the genesis parameters.
 *
 * Invariant: whatever peers send, memory stays under treeBlocksMax + pendingBlocksMax headers, and per voter known
 * (votesPerTargetMax * treeBlocksMax + recordsPerVoterMax) votes. Voters known: the members of the electorates of the tree and the trail.
 */
import type { ConsensusParameters } from './model.ts';
import { ConsensusError } from './model.ts';

export interface Limits {
  /** Blocks in the tree. Several branches of full length fit (one for each side of a partition). */
  readonly treeBlocksMax: number;
  /** A block this far above the root is not taken yet; range requests bring it when its turn comes. */
  readonly heightsAboveRootMax: number;
  /** Blocks whose parent is unknown: in all, and from one peer. */
  readonly pendingBlocksMax: number;
  readonly pendingPerPeerMax: number;
  /** Hashes of blocks known to be invalid. */
  readonly invalidBlocksMax: number;
  /** Votes for unknown targets kept for one validator. Own votes are exempt: their number is bounded by the root. */
  readonly unknownVotesPerVoterMax: number;
  /** Votes of one validator for one target (they differ in their source; an honest one casts one). */
  readonly votesPerTargetMax: number;
  /** Votes of one validator remembered for evidence. */
  readonly recordsPerVoterMax: number;
  /** Votes are remembered for evidence this many slots below the root. */
  readonly evidenceSlots: number;
  /** Offences remembered of one leader. */
  readonly offencesPerLeaderMax: number;
  /** Invalid blocks that may be decoys, and peers remembered for each. */
  readonly suspectsMax: number;
  readonly suspectPeersMax: number;
  /** Blocks known to be off the final chain. */
  readonly offChainMax: number;
  /** Blocks of one leader for one slot taken without support by votes. */
  readonly proposalsPerSlotMax: number;
  /** Finalized ancestors of the root remembered for their certificates. */
  readonly trailBlocksMax: number;
  /** Single blocks asked for at a time, and how often each before giving up. */
  readonly wantedBlocksMax: number;
  readonly wantedAttemptsMax: number;
  /** Blocks asked for in one range. */
  readonly rangeBlocksMax: number;
  /** A block this many slots ahead of the local schedule is not followed yet. */
  readonly aheadSlots: number;
  /** How far the local schedule may run ahead of the best block: a slow leader may catch up this much in a burst. */
  readonly scheduleSlackSlots: number;
}

function requireRange(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new ConsensusError('parameterRange', `${name} must be a whole number >= ${least}, found ${value}`);
}

/** Most slots between a block and its parent: every member's turn twice, room for slots already used up, and an epoch skipped in a stall. */
export function gapSlotsMaxOf(parameters: ConsensusParameters, memberCount: number): number {
  const { timeoutSlots, unfinalizedBlocksMax, slotsPerEpoch } = parameters;
  return 2 * memberCount * timeoutSlots + unfinalizedBlocksMax + slotsPerEpoch;
}

/** A vote for a slot further than this above everything known is ignored. */
export function farVoteSlotsOf(parameters: ConsensusParameters, memberCount: number): number {
  return 3 * parameters.unfinalizedBlocksMax + gapSlotsMaxOf(parameters, memberCount);
}

/** Checks the parameters and derives the bounds. Throws `ConsensusError` (`parameterRange`). */
export function limitsOf(parameters: ConsensusParameters): Limits {
  const { timeoutSlots, unfinalizedBlocksMax } = parameters;
  requireRange('slotDurationMs', parameters.slotDurationMs, 1);
  requireRange('timeoutSlots', timeoutSlots, 1);
  requireRange('hashesPerSlot', parameters.hashesPerSlot, 1);
  requireRange('unfinalizedBlocksMax', unfinalizedBlocksMax, 2);
  requireRange('slotsPerEpoch', parameters.slotsPerEpoch, 8);
  requireRange('termSlots', parameters.termSlots, parameters.termSlots === 0 ? 0 : 2 * timeoutSlots);
  return {
    treeBlocksMax: 8 * unfinalizedBlocksMax,
    heightsAboveRootMax: 4 * unfinalizedBlocksMax,
    pendingBlocksMax: 4 * unfinalizedBlocksMax,
    pendingPerPeerMax: 2 * unfinalizedBlocksMax,
    invalidBlocksMax: 512,
    unknownVotesPerVoterMax: 8,
    votesPerTargetMax: 2,
    recordsPerVoterMax: 2 * unfinalizedBlocksMax + 128,
    evidenceSlots: 64,
    offencesPerLeaderMax: 16,
    suspectsMax: 64,
    suspectPeersMax: 8,
    offChainMax: 512,
    proposalsPerSlotMax: 2,
    trailBlocksMax: 128,
    wantedBlocksMax: 64,
    wantedAttemptsMax: 6,
    rangeBlocksMax: 128,
    aheadSlots: timeoutSlots,
    scheduleSlackSlots: 4 * timeoutSlots,
  };
}
