/**
 * A chain of blocks under Zipf traffic, run on the compaction rule and the log model alone: what each block touches, moves and leaves behind. For the bench case and for
 * plots (`compactionCsv`); no disk, no signatures, so that thousands of blocks take seconds.
 */
import type { Kernels } from '../../native/index.ts';
import { compact } from '../../src/ledger/compaction.ts';
import { Overlay, rewardPoolAddress } from '../../src/ledger/index.ts';
import { MemoryState } from '../../src/node/audit/memory-state.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { SeededRandom } from '../workload/random.ts';
import { Zipf } from '../workload/zipf.ts';
import { LogModel } from './log-model.ts';

export interface CompactionRunOptions {
  readonly kernels: Kernels;
  readonly accounts: number;
  /** In each block, on average; from half to one and a half times as many. */
  readonly transfersPerBlock: number;
  readonly microunitsPerByteBlock: bigint;
  readonly seed: number;
}

/** One block. */
export interface CompactionRow {
  readonly height: number;
  /** Keys touched by transfers. */
  readonly touched: number;
  readonly moves: number;
  /** Ops written, moves included, the head not. */
  readonly ops: number;
  /** W after the block: ops from the floor on. */
  readonly window: number;
  /** L after the block: live ops. */
  readonly live: number;
  readonly rent: bigint;
  readonly evictions: number;
}

const BALANCE = 1_000_000_000n;

/** Blocks after genesis, without end. */
export function* compactionRun(options: CompactionRunOptions): Generator<CompactionRow, never> {
  const { kernels, accounts, transfersPerBlock, microunitsPerByteBlock, seed } = options;
  const random = new SeededRandom(seed);
  const picks = new Zipf(random, { count: accounts });
  const rules = { rent: { microunitsPerByteBlock }, rewardPool: rewardPoolAddress(kernels) };
  const state = new MemoryState();
  const log = new LogModel();
  const commit = (ops: readonly StateOp[]): void => {
    state.apply(ops);
    log.append(ops);
  };
  const addresses = Array.from({ length: accounts }, (_, number) => addressOf(number));
  const genesis = [
    ...addresses.map((address) => ({ address, balance: BALANCE })),
    { address: rules.rewardPool, balance: 0n },
  ];
  commit(genesis.map((account) => ({ kind: 'putAccount', ...account })));
  for (;;) {
    const overlay = new Overlay(state);
    const transfers = Math.round(transfersPerBlock * (0.5 + random.unit()));
    for (let n = 0; n < transfers; n += 1)
      transfer(overlay, addresses[picks.next()]!, addresses[picks.next()]!, rules.rewardPool);
    const touched = overlay.touchedCount;
    const { moves, rent, evictions } = compact(kernels, rules, overlay, log);
    const ops = overlay.ops();
    commit(ops);
    const window = log.opCount - log.floor;
    const counts = { touched, moves, ops: ops.length, window, live: log.activeCount };
    yield { height: log.height, ...counts, rent, evictions: evictions.length };
  }
}

/** The first `blocks` blocks as CSV, with W / L in the last column. */
export function compactionCsv(options: CompactionRunOptions, blocks: number): string {
  const lines = ['height,touched,moves,ops,window,live,rent,evictions,window_per_live'];
  for (const row of compactionRun(options)) {
    const { height, touched, moves, ops, window, live, rent, evictions } = row;
    lines.push([height, touched, moves, ops, window, live, rent, evictions, (window / live).toFixed(4)].join(','));
    if (height === blocks) break;
  }
  return `${lines.join('\n')}\n`;
}

function transfer(overlay: Overlay, from: Uint8Array, to: Uint8Array, pool: Uint8Array): void {
  if (overlay.balance(from) < 2n) return;
  overlay.debit(from, 2n);
  overlay.credit(pool, 1n);
  overlay.credit(to, 1n);
}

function addressOf(number: number): Uint8Array {
  const bytes = new Uint8Array(20);
  new DataView(bytes.buffer).setUint32(0, number + 1, false);
  return bytes;
}
