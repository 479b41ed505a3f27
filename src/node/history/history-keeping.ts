/**
 * How much history a node keeps: everything (`archive`), or the bodies of recent blocks and whatever too few others hold (`pruned`).
 *
 * Invariant: what the node itself needs always stays: the blocks that the recency window is rebuilt from after a restart, and those a new node
 * fetches to fast-sync from this one.
 */
import type { Genesis } from '../../ledger/index.ts';
import { ConfigError, type HistoryConfig, type NodeConfigRole } from '../config.ts';

/** Bodies deeper than this below the last final block go, unless the configuration says otherwise. */
export const DEPTH_BLOCKS_DEFAULT = 512;
/** So many blocks the trusted block of a fast sync may lie behind the last final one. */
const SYNC_LAG_BLOCKS = 32;

export type HistoryKeeping =
  | { readonly mode: 'archive' }
  | {
      readonly mode: 'pruned';
      /** Bodies deeper than this below the last final block may go. */
      readonly depthBlocks: number;
      /** How many proven replicas of a segment the ledger must show before it goes. */
      readonly replicasBeforePruning: number;
    };

/**
 * Least depth a network allows: the recency window (a slot holds at most one block), the block before it, and how old a fast sync's trusted block
 * may be.
 */
export function depthBlocksMin(genesis: Genesis): number {
  return genesis.transactions.recencyWindowSlots + 1 + SYNC_LAG_BLOCKS;
}

/** What a configuration asks for in a network. Throws `ConfigError` when that is less than the node needs. */
export function historyKeeping(
  role: NodeConfigRole,
  config: HistoryConfig | undefined,
  genesis: Genesis,
  configFile: string,
): HistoryKeeping {
  if (role !== 'validator' || config?.mode === 'archive') return { mode: 'archive' };
  const least = depthBlocksMin(genesis);
  const depthBlocks = config?.depthBlocks ?? Math.max(DEPTH_BLOCKS_DEFAULT, least);
  if (depthBlocks < least)
    throw new ConfigError(
      'invalid',
      configFile,
      `history.depthBlocks is ${depthBlocks}, but this network's recency window and fast sync need ${least}; raise it, or leave it out`,
    );
  // The target unless the operator says otherwise.
  const replicasBeforePruning = config?.replicasBeforePruning ?? genesis.replication.replicasPerSegment;
  return { mode: 'pruned', depthBlocks, replicasBeforePruning };
}
