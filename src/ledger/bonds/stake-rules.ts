/**
 * The genesis parameters of proof of stake, the relations between them, and epochs: what the rules of this folder are worked out from.
 *
 * An *epoch* e is the slots e * slotsPerEpoch .. (e + 1) * slotsPerEpoch - 1.
 */
import type { Amount } from '../../../native/index.ts';

/** Parameters of consensus and stake, as genesis has them. */
export interface ConsensusFields {
  /** A leader that is silent for so many slots is taken over from. */
  readonly timeoutSlots: number;
  /** Blocks above the last final one at which production slows down. */
  readonly unfinalizedBlocksMax: number;
  /** Slots of an epoch: who judges and leads changes only at an epoch's first block. At least 8. */
  readonly slotsPerEpoch: number;
  /** Missed epochs after which a validator leaves the sets, while blocks become final. At least 1. */
  readonly staleEpochsFast: number;
  /** Epochs without finality after which those who missed as many are excluded, if more than half of the stake is left. */
  readonly staleEpochsSlow: number;
  /** The same, however few are left; 0 for never. */
  readonly staleEpochsVerySlow: number;
  /** Slots after its target within which a vote shows that its voter is present. */
  readonly voteLateSlotsMax: number;
  /** Epochs between leaving both sets and getting the bond back. At least 2. */
  readonly unbondingEpochs: number;
  /** Smallest bond. */
  readonly minimumBond: Amount;
  /** Slots of a leader's term; 0 for none. */
  readonly termSlots: number;
  /** Mean slots between decoys; 0 for none. */
  readonly decoyIntervalSlots: number;
}

type Complain = (path: readonly (string | number)[], message: string) => void;

/** Relations between the fields; each complaint stands at the field to change. */
export function checkStakeRelations(fields: ConsensusFields, complain: Complain): void {
  const require = (field: keyof ConsensusFields, holds: boolean, message: string): void => {
    if (!holds) complain(['consensus', field], `${message}, found ${fields[field]}`);
  };
  const { timeoutSlots, unfinalizedBlocksMax, slotsPerEpoch, staleEpochsFast, staleEpochsSlow } = fields;
  require('staleEpochsSlow', staleEpochsSlow >
    staleEpochsFast, `must be more than staleEpochsFast (${staleEpochsFast})`);
  require('staleEpochsSlow', (staleEpochsSlow + 2) * slotsPerEpoch <=
    unfinalizedBlocksMax, `plus 2, times slotsPerEpoch (${slotsPerEpoch}), must be at most unfinalizedBlocksMax (${unfinalizedBlocksMax}), or production slows down before absence is known`);
  require('staleEpochsVerySlow', fields.staleEpochsVerySlow === 0 ||
    (fields.staleEpochsVerySlow > staleEpochsSlow &&
      fields.staleEpochsVerySlow <=
        unfinalizedBlocksMax), `must be 0 (never), or more than staleEpochsSlow (${staleEpochsSlow}) and at most unfinalizedBlocksMax (${unfinalizedBlocksMax})`);
  require('voteLateSlotsMax', fields.voteLateSlotsMax <
    slotsPerEpoch, `must be less than slotsPerEpoch (${slotsPerEpoch})`);
  require('termSlots', fields.termSlots === 0 ||
    fields.termSlots >= 2 * timeoutSlots, `must be 0 (no term) or at least twice timeoutSlots (${timeoutSlots})`);
  require('decoyIntervalSlots', fields.decoyIntervalSlots === 0 ||
    timeoutSlots >= 2, `must be 0 (none) where timeoutSlots is below 2: a decoy costs its leader a slot`);
}

/** The epoch of a slot. */
export function epochOf({ slotsPerEpoch }: Pick<ConsensusFields, 'slotsPerEpoch'>, slot: number): number {
  return Math.floor(slot / slotsPerEpoch);
}
