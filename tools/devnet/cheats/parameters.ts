/**
 * The market's devnet: four replicators, three of which cheat.
 *
 * - Mode `both`: every proof is sampled and opened. Segments of 64 KiB are 64 leaves; 200 draws leave none of them out but with odds of 2^-4 each, so four
 *   erased leaves are found in every proof.
 * - Periods of 12 slots (6 s), three to a rotation: a proof may stand in the first 10 slots of its period, so one that waits for that is late.
 * - No replica lapses meanwhile: what a cheat is refused for must be seen, period after period.
 *
 * As in the devnet proper, none of this is sound against a cheat with a fast machine: it shows the protocol.
 */
import type { FaultsConfig } from '../../../src/node/config.ts';
import type { NetworkParameters } from '../../../src/node/init.ts';

export const CHEATS_GENESIS: NetworkParameters = {
  poh: { hashesPerTick: 500, ticksPerSlot: 10, slotDurationMs: 500 },
  transactions: { recencyWindowSlots: 40, minimumFee: '10', blockTransactionsMax: 5_000 },
  consensus: {
    timeoutSlots: 4,
    unfinalizedBlocksMax: 256,
    slotsPerEpoch: 16,
    staleEpochsFast: 2,
    staleEpochsSlow: 4,
    staleEpochsVerySlow: 0,
    voteLateSlotsMax: 8,
    unbondingEpochs: 2,
    minimumBond: '1000',
    termSlots: 40,
    decoyIntervalSlots: 30,
  },
  history: { segmentSizeBytes: 64 * 1024, leafSizeBytes: 1024 },
  replication: {
    sampleBlockSizeBytes: 16 * 1024,
    slotsPerPeriod: 24,
    periodsPerRotation: 3,
    minimumDeposit: '1000000',
    rewardPerProof: '5',
    mode: 'both',
    layers: 1,
    samplesPerProof: 200,
    checksPerProof: 16,
    replicasPerSegment: 4,
    depositPerReplica: '100000',
    rewardLockoutPeriods: 2,
    proofDeadlineSlots: 11,
    sealSlots: 6,
    missesMax: 100,
    slashPerMissPermille: 10,
    slashPerFakePermille: 100,
    fakeSharePermille: 100,
  },
  rent: { microunitsPerByteBlock: '1' },
};

/** What each replicator does, in their order. */
export const CHEATS: readonly { readonly what: Behaviour; readonly faults: FaultsConfig }[] = [
  { what: 'honest', faults: {} },
  { what: 'erases 5 %', faults: { erasePermille: 50 } },
  { what: 'answers late', faults: { provesLate: true } },
  { what: 'copies another', faults: { copyFrom: '../replicator-1/data' } },
];
export type Behaviour = 'honest' | 'erases 5 %' | 'answers late' | 'copies another';

/** Why validators, or the ledger itself, refuse each cheat's proofs. */
export const EXPECTED_REASONS: Readonly<Record<Behaviour, readonly string[]>> = {
  honest: [],
  'erases 5 %': ['replica-opening', 'segment-opening', 'encoding', 'samples-root'],
  'answers late': ['late'],
  'copies another': ['encoding', 'replica-root', 'samples-root'],
};

export const VALIDATORS = 2;
/** Load until so many segments are complete; blocks themselves fill further ones slowly. */
export const SEGMENTS_WANTED = 3;
export const TRANSFERS_PER_SECOND = 200;
export const ACCOUNTS = 500;
/** Room for every segment of the run. */
export const CAPACITY_BYTES: number = 64 * CHEATS_GENESIS.history.segmentSizeBytes;
