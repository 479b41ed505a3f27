/** The supply, as a chain node answers it. */
import { evictedUnits, totalBonds, totalDeposits, totalSupply } from '../../ledger/index.ts';
import type { Supply } from '../../rpc/views/accounts.ts';
import type { ChainParts } from '../chain-parts.ts';

/** Counts every account of the final state, on the thread that asks: as long as there are accounts. */
export function supplyOf({ rules, tree, store }: ChainParts): Supply {
  const { state, header } = tree.root;
  return {
    slot: header.slot,
    total: totalSupply(store.balances(), state),
    deposits: totalDeposits(state),
    bonds: totalBonds(state),
    evicted: evictedUnits(state),
    rewardPool: state.balance(rules.rewardPool),
  };
}
