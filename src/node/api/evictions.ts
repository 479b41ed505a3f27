/** Evictions of an address, as a chain node answers them. */
import { type Address, type Hash, hash } from '../../../native/index.ts';
import { isRevived, readEvictions } from '../../ledger/index.ts';
import { EVICTION_ROWS_MAX, type EvictionsView } from '../../rpc/views/evictions.ts';
import type { ChainParts } from '../chain-parts.ts';

/** After the final block, from number `fromIndex` on. */
export function evictionsView({ tree, store }: ChainParts, owner: Address, fromIndex: number): EvictionsView {
  const { state, header } = tree.root;
  const { size } = readEvictions(state).range;
  const { rows, next } = store.evictions.byAddress(owner, fromIndex, size, EVICTION_ROWS_MAX);
  const evictions = rows.map(({ index, balance, height }) => ({
    index,
    balance,
    height,
    revived: isRevived(state, index),
    path: splitPath(store.evictions.path(index, size)!),
  }));
  return { slot: header.slot, keptFrom: store.evictions.start, evictions, next };
}

function splitPath(path: Uint8Array): Hash[] {
  return Array.from({ length: path.length / 32 }, (_, step) => hash(path.slice(32 * step, 32 * step + 32)));
}
