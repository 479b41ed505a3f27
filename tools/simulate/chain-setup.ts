/** The chain of a simulation: genesis and keys. Small segments and a small PoH rate; every rule is that of a real network. */
import { encodeBase58, formatAddress, type SigningKey, signingKey } from '../../src/codec/index.ts';
import {
  type ConsensusFields,
  DEVNET_PARAMETERS,
  type Genesis,
  genesisFrom,
  type LedgerRules,
  ledgerRules,
} from '../../src/ledger/index.ts';
import type { SharedKernels } from './shared-kernels.ts';

const BALANCE = '1000000000';
const PEOPLE_COUNT = 6;

export interface ChainSetup {
  readonly genesis: Genesis;
  readonly rules: LedgerRules;
  /** By rank: bond descending, then key descending; then those who are none at first. */
  readonly validators: readonly SigningKey[];
  /** At genesis; 0 for those who are none. */
  readonly bonds: readonly bigint[];
  /** Those who send transfers. */
  readonly people: readonly SigningKey[];
}

export interface ChainOptions {
  /** Descending; one a validator. */
  readonly bonds: readonly bigint[];
  readonly timeoutSlots: number;
  readonly slotDurationMs: number;
  readonly unfinalizedBlocksMax: number;
  readonly consensus: Partial<ConsensusFields>;
  /** Keys with a balance and no bond. */
  readonly candidates: number;
}

/** Makes the chain; the same options give the same chain. */
export function setUpChain(shared: SharedKernels, options: ChainOptions): ChainSetup {
  const { bonds, timeoutSlots, slotDurationMs, unfinalizedBlocksMax, consensus, candidates } = options;
  // Within one bond the rank is by key, descending: hand the bonds out in that order.
  const keys = bonds
    .map((_, index) => keyOf(index + 1))
    .sort((a, b) => Buffer.compare(b.publicKey, a.publicKey))
    .map((key) => shared.key(key));
  const others = Array.from({ length: candidates }, (_, index) => shared.key(keyOf(20_000 + index)));
  const people = Array.from({ length: PEOPLE_COUNT }, (_, index) => shared.key(keyOf(10_000 + index)));
  const genesis = genesisFrom({
    ...DEVNET_PARAMETERS,
    name: 'simulation',
    poh: { hashesPerTick: 8, ticksPerSlot: 2, slotDurationMs },
    transactions: { recencyWindowSlots: 60, minimumFee: '1', blockTransactionsMax: 256 },
    consensus: {
      ...DEVNET_PARAMETERS.consensus,
      timeoutSlots,
      unfinalizedBlocksMax,
      slotsPerEpoch: 8,
      staleEpochsFast: 5,
      staleEpochsSlow: 6,
      voteLateSlotsMax: 7,
      minimumBond: '1',
      ...consensus,
    },
    history: { segmentSizeBytes: 65_536, leafSizeBytes: 1024 },
    validators: keys.map(({ publicKey }, rank) => ({ publicKey: encodeBase58(publicKey), bond: String(bonds[rank]!) })),
    accounts: [...people, ...keys, ...others].map(({ address }) => ({
      address: formatAddress(address),
      balance: BALANCE,
    })),
  });
  return {
    genesis,
    rules: ledgerRules(shared.kernels, genesis),
    validators: [...keys, ...others],
    bonds: [...bonds, ...others.map(() => 0n)],
    people,
  };
}

function keyOf(number: number): SigningKey {
  const seed = new Uint8Array(32);
  new DataView(seed.buffer).setUint32(0, number, true);
  return signingKey(seed);
}
