/**
 * What execution needs of genesis, worked out once: parameters and the reward pool's address. Who validates stands in the state.
 */
import type { Address, Amount, Hash } from '../../native/index.ts';
import type { Hasher } from '../codec/index.ts';
import { ElectorateCache } from './bonds/electorate-after.ts';
import type { ConsensusFields } from './bonds/stake-rules.ts';
import { rewardPoolAddress } from './fees.ts';
import { chainIdOf, genesisSupply } from './genesis.ts';
import type { Genesis } from './genesis-schema.ts';
import type { RecencyRules } from './recent.ts';
import type { RentRules } from './rent.ts';
import type { MarketRules } from './replication/market-rules.ts';

export interface LedgerRules extends RecencyRules {
  readonly chainId: Hash;
  readonly minimumFee: Amount;
  readonly blockTransactionsMax: number;
  readonly rewardPool: Address;
  readonly rent: RentRules;
  /** All units: balances, deposits, bonds and what was evicted sum to this after every block. */
  readonly supply: bigint;
  readonly replication: MarketRules;
  readonly consensus: ConsensusFields;
  /** Remembers electorates; results do not depend on it. */
  readonly electorates: ElectorateCache;
}

/** Works out a chain's rules. */
export function ledgerRules(hasher: Hasher, genesis: Genesis): LedgerRules {
  return {
    chainId: chainIdOf(hasher, genesis),
    hashesPerSlot: genesis.poh.hashesPerTick * genesis.poh.ticksPerSlot,
    recencyWindowSlots: genesis.transactions.recencyWindowSlots,
    minimumFee: genesis.transactions.minimumFee,
    blockTransactionsMax: genesis.transactions.blockTransactionsMax,
    rewardPool: rewardPoolAddress(hasher),
    rent: genesis.rent,
    supply: genesisSupply(genesis),
    replication: genesis.replication,
    consensus: genesis.consensus,
    electorates: new ElectorateCache(),
  };
}
