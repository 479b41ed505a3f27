/**
 * What execution needs of genesis, worked out once: parameters, the reward pool's address, and the validators with their bonds.
 */
import { type Address, type Amount, byteKey, type Hash, type PublicKey } from '../../native/index.ts';
import type { Hasher } from '../codec/index.ts';
import { ElectorateCache } from './bonds/electorate-after.ts';
import type { ConsensusFields } from './bonds/stake-rules.ts';
import { rewardPoolAddress } from './fees.ts';
import { chainIdOf, genesisSupply } from './genesis.ts';
import type { Genesis, GenesisValidator } from './genesis-schema.ts';
import type { RecencyRules } from './recent.ts';
import type { RentRules } from './rent.ts';
import type { ScheduleRules } from './replication/schedule.ts';

export interface LedgerRules extends RecencyRules {
  readonly chainId: Hash;
  readonly minimumFee: Amount;
  readonly blockTransactionsMax: number;
  readonly rewardPool: Address;
  readonly rent: RentRules;
  /** All units: balances, deposits, bonds and what was evicted sum to this after every block. */
  readonly supply: bigint;
  readonly replication: ScheduleRules & { readonly minimumDeposit: Amount; readonly rewardPerProof: Amount };
  readonly consensus: ConsensusFields;
  /** Remembers electorates; results do not depend on it. */
  readonly electorates: ElectorateCache;
  /** Those of genesis, who give verdicts on storage. Who votes and leads: `electorateAfter`. */
  readonly validators: ValidatorSet;
}

/** The genesis validators in order of rank; a validator's index is its place there, and its bit in replica records. */
export class ValidatorSet {
  readonly members: readonly GenesisValidator[];
  readonly totalBond: bigint;
  readonly #indexes: ReadonlyMap<string, number>;

  /** @param members in order of rank, as `Genesis.validators` */
  constructor(members: readonly GenesisValidator[]) {
    this.members = members;
    this.totalBond = members.reduce((sum, { bond }) => sum + bond, 0n);
    this.#indexes = new Map(members.map(({ publicKey }, index) => [byteKey(publicKey), index]));
  }

  get count(): number {
    return this.members.length;
  }

  /** The validator's index, or -1 for a key that is none. */
  indexOf(publicKey: PublicKey): number {
    return this.#indexes.get(byteKey(publicKey)) ?? -1;
  }
}

/** Works out a chain's rules. */
export function ledgerRules(hasher: Hasher, genesis: Genesis): LedgerRules {
  const { slotsPerPeriod, periodsPerRotation, minimumDeposit, rewardPerProof } = genesis.replication;
  return {
    chainId: chainIdOf(hasher, genesis),
    hashesPerSlot: genesis.poh.hashesPerTick * genesis.poh.ticksPerSlot,
    recencyWindowSlots: genesis.transactions.recencyWindowSlots,
    minimumFee: genesis.transactions.minimumFee,
    blockTransactionsMax: genesis.transactions.blockTransactionsMax,
    rewardPool: rewardPoolAddress(hasher),
    rent: genesis.rent,
    supply: genesisSupply(genesis),
    replication: { slotsPerPeriod, periodsPerRotation, minimumDeposit, rewardPerProof },
    consensus: genesis.consensus,
    electorates: new ElectorateCache(),
    validators: new ValidatorSet(genesis.validators),
  };
}
