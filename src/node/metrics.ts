/** A chain node's figures for Prometheus, read when they are asked for. */
import { Gauge, type Registry } from 'prom-client';
import { silenceOf } from '../consensus/index.ts';
import type { ChainNode } from './chain-node.ts';

type Reading = readonly [name: string, help: string, read: (node: ChainNode) => number];

const READINGS: readonly Reading[] = [
  ['cairn_finalized_height', 'Height of the last final block', ({ tree }) => tree.root.header.height],
  ['cairn_head_height', 'Height of the best block', ({ tree }) => tree.best.header.height],
  ['cairn_head_slot', 'Slot of the best block', ({ tree }) => tree.best.header.slot],
  ['cairn_transactions_final', 'Transactions in final blocks since genesis', ({ tree }) => tree.root.transactionsTotal],
  ['cairn_transactions_pending', 'Transactions waiting for a block here', ({ mempool }) => mempool.pendingCount],
  ['cairn_peers', 'Connected peers', ({ transport }) => transport.peers().length],
  ['cairn_segments', 'Completed history segments', ({ tree }) => tree.root.cursor.segmentCount],
  ['cairn_history_bytes', 'Length of the history stream', ({ tree }) => tree.root.cursor.length],
  ['cairn_history_kept_bytes', 'Bytes of the history stream kept here', ({ store }) => store.kept.keptBytes],
  ['cairn_history_pruned_bytes', 'Bytes of history taken away here by pruning', ({ store }) => store.kept.prunedBytes],
  ['cairn_history_first_height', 'Height of the first block kept here', ({ store }) => store.kept.startHeight],
  [
    'cairn_history_segments_waiting',
    'Segments kept here only because too few replicas are proven',
    ({ pruner }) => pruner?.waitingSegments ?? 0,
  ],
  [
    'cairn_history_segments_at_risk',
    'Segments pruned here of which too few replicas are proven now',
    ({ pruner }) => pruner?.segmentsAtRisk ?? 0,
  ],
  ['cairn_poh_hashes_per_second', 'PoH steps a second while generating', ({ poh }) => poh?.rate().hashesPerSecond ?? 0],
  ['cairn_blocks_produced', 'Blocks closed here since the start', ({ producer }) => producer?.producedCount ?? 0],
  ['cairn_epoch', 'Epoch of the best block', ({ tree }) => tree.best.electorate.epoch],
  ['cairn_era', 'Era of the best block', ({ tree }) => tree.best.electorate.era],
  [
    'cairn_validators',
    'Members of the electorate after the best block',
    ({ tree }) => tree.best.electorate.members.length,
  ],
  [
    'cairn_validators_excluded',
    'Members that do not count, for their absence',
    ({ tree }) => tree.best.electorate.members.filter(({ excluded }) => excluded).length,
  ],
  [
    'cairn_silent',
    '1 while this validator must not vote or lead',
    ({ consensus }) => (silenceOf(consensus()) === null ? 0 : 1),
  ],
  [
    'cairn_silent_until_slot',
    'Slot that must be final before it votes again; 0 when it may, or when that is not known',
    ({ consensus }) => silenceOf(consensus())?.untilSlot ?? 0,
  ],
  ['cairn_finality_split', '1 when finality has split', ({ effects }) => (effects.conflictFound === null ? 0 : 1)],
  ['cairn_evidence', 'Misbehaviour found here', ({ effects }) => effects.counts.evidence],
  ['cairn_decoys', 'Decoys sent out here', ({ effects }) => effects.counts.decoys],
  ['cairn_blocks_refused', 'Blocks refused here since the start', ({ effects }) => effects.counts.refused],
  ['cairn_storage_proofs_verified', 'Storage proofs checked here', ({ proofs }) => proofs?.counts.verified ?? 0],
  ['cairn_storage_proofs_invalid', 'Storage proofs found invalid here', ({ proofs }) => proofs?.counts.invalid ?? 0],
  ['cairn_leading', '1 while this node generates', ({ producer }) => (producer?.isLeading === true ? 1 : 0)],
];

/** Registers the gauges. */
export function chainMetrics(registry: Registry, node: ChainNode): void {
  for (const [name, help, read] of READINGS) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read(node));
      },
    });
  }
}
