/**
 * The devnet's numbers: small enough that a minute on two slow cores shows everything a long-lived network does.
 *
 * - PoH 100,000 hashes a second: one hundredth of what the portable kernel holds on one core, so that seven processes share two cores.
 * - Slots of 500 ms: finality is two slots and a round of votes, about 1.5 s.
 * - Segments of 256 KiB: at 500 transfers a second history grows by about 100 KB/s, so a segment fills in under 3 s, and the 11,000
 *   Ethereum transfers (2 MB) still fill 7.
 * - Periods of 24 slots (12 s): a proof needs the period's first block final (1.5 s) and may land within 12 slots (6 s); the validators' sealed findings on it within 5 more
 *   (2.5 s: its block final, checked, gathered, landed), their secrets in the rest. Halving it would leave a slow machine no room.
 * - Rotation every 3 periods (36 s): a 60 s run sees two, and two proofs fit into each, since its first period has none.
 * - Sample blocks of 16 KiB: 16 slices a proof.
 * - No replica lapses within the run, and nobody sends fakes: `cairn devnet --cheats` has those, late proofs and cheats.
 * - Rent of a millionth of a unit a byte and block: every block works it out, but the first unit falls due at height 31,250, after four hours. The
 *   transfers' opening balances are exact, and the recomputation of all balances knows nothing of rent.
 * - Recency window of 40 slots (20 s), so that 73 blocks is the least depth a validator may prune at: after 37 s the first segments go.
 *
 * - Epochs of 16 slots (8 s), terms of 40 slots (20 s), a decoy in 30 slots: a 60 s run sees seven epochs, two leaders handing over by schedule, and about four decoys. A validator that is
 *   away for four whole epochs (32 s) leaves the sets; one that is killed and restarted at once does not.
 *
 * None of this is sound against a cheat: such a replica is encoded anew in a millisecond. The devnet shows the protocol, not the security.
 */
import type { HistoryConfig } from '../../src/node/config.ts';
import type { NetworkParameters } from '../../src/node/init.ts';

export const DEVNET_GENESIS: NetworkParameters = {
  poh: { hashesPerTick: 5_000, ticksPerSlot: 10, slotDurationMs: 500 },
  transactions: { recencyWindowSlots: 40, minimumFee: '10', blockTransactionsMax: 5_000 },
  consensus: {
    timeoutSlots: 4,
    unfinalizedBlocksMax: 256,
    slotsPerEpoch: 16,
    staleEpochsFast: 4,
    staleEpochsSlow: 6,
    staleEpochsVerySlow: 0,
    voteLateSlotsMax: 8,
    unbondingEpochs: 2,
    minimumBond: '1000',
    termSlots: 40,
    decoyIntervalSlots: 30,
  },
  history: { segmentSizeBytes: 256 * 1024, leafSizeBytes: 1024 },
  replication: {
    sampleBlockSizeBytes: 16 * 1024,
    slotsPerPeriod: 24,
    periodsPerRotation: 3,
    minimumDeposit: '1000000',
    rewardPerProof: '5',
    mode: 'stream',
    layers: 1,
    samplesPerProof: 100,
    checksPerProof: 16,
    replicasPerSegment: 4,
    depositPerReplica: '100000',
    rewardLockoutPeriods: 2,
    proofDeadlineSlots: 12,
    sealSlots: 5,
    missesMax: 1000,
    slashPerMissPermille: 50,
    slashPerFakePermille: 100,
    fakeSharePermille: 0,
  },
  rent: { microunitsPerByteBlock: '1' },
};

/** Fee of every workload transfer: the genesis minimum. */
export const WORKLOAD_FEE = 10n;
/** Transfers a second of the built-in workload. */
export const ZIPF_RATE_PER_SECOND = 500;
/** Accounts of the built-in workload. */
export const ZIPF_ACCOUNTS = 10_000;
/** A file's transfers are spread over this share of the run. */
export const REPLAY_SHARE = 0.6;
/** ... but never slower than this, so that a short file still fills segments early. */
export const REPLAY_RATE_PER_SECOND_MIN = 150;

/**
 * What validators keep: as little as the network allows, and one proven replica is enough. With two asked for, the replica that is damaged on purpose
 * would hold its segment, and all behind it, on every disk.
 */
export const VALIDATOR_HISTORY: HistoryConfig = { mode: 'pruned', depthBlocks: 73, replicasBeforePruning: 1 };

/** Bond of each validator: equal, so that any three of four are more than 2/3. */
export const VALIDATOR_BOND = 1_000_000n;
/** Own account of each validator and replicator: deposit, and fees of some thousand proofs and verdicts. */
export const NODE_BALANCE = 1_000_000_000n;
export const ARCHIVES = 1;
export const REPLICATORS = 2;
/** Segments each replicator keeps: 8 segments by 2 replicators are 16 proofs a period, each checked by 4 validators. */
export const REPLICATOR_SEGMENTS = 8;
export const REPLICATOR_CAPACITY_BYTES: number = REPLICATOR_SEGMENTS * DEVNET_GENESIS.history.segmentSizeBytes;
