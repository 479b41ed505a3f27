/** The trees over a naive store, and the naive state of every commitment they hand out. */
import { expect } from 'vitest';
import type { Commitment } from '../../storage/commitment/commitment.ts';
import { CommitmentReplay } from '../../storage/commitment/replay.ts';
import { CommitmentTrees } from '../../storage/commitment/trees.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { CHAIN_ID, NaiveState, NaiveStore, putAccount, putBond, putRecord } from './commitment-model.ts';
import { kernels } from './kernels-fixture.ts';

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export class Rig {
  readonly store: NaiveStore = new NaiveStore();
  trees: CommitmentTrees = CommitmentTrees.empty(kernels, CHAIN_ID, this.store, this.store);
  readonly states: Map<Commitment, NaiveState> = new Map([[this.trees.tip, NaiveState.empty]]);

  next(parent: Commitment, ops: readonly StateOp[]): Commitment {
    const state = this.states.get(parent)!.next(ops);
    const child = parent.next(state.batches.at(-1)!);
    this.states.set(child, state);
    return child;
  }

  settle(child: Commitment): void {
    this.store.state = this.states.get(child)!;
    this.trees.absorb(child);
  }

  /** Trees made anew from the log, as a restart does. */
  reopen(): void {
    const { store } = this;
    const options = { kernels, chainId: CHAIN_ID, positions: store, twigs: store };
    const replay = new CommitmentReplay(options, store.frontier);
    let op = 0;
    for (const batch of store.state.batches) {
      if (op >= store.firstOp) replay.appendOps(batch);
      op += 1 + new DataView(batch.buffer, batch.byteOffset).getUint32(8, true);
    }
    const positions = [...store.state.latest.values()];
    replay.activate(Float64Array.from(positions.filter((_, index) => index % 2 === 0)));
    replay.activate(Float64Array.from(positions.filter((_, index) => index % 2 === 1)));
    this.trees = replay.finish();
    this.states.set(this.trees.tip, store.state);
  }

  /** Deletes batches that lie below the floor whole, all but `kept` of them. */
  drop(kept: number): void {
    const { store } = this;
    let op = 0;
    const heads: number[] = [];
    for (const batch of store.state.batches) {
      const end = op + 1 + new DataView(batch.buffer, batch.byteOffset).getUint32(8, true);
      if (end <= store.state.floor && end < store.state.ops.length) heads.push(end);
      op = end;
    }
    const firstOp = heads[heads.length - 1 - kept] ?? store.firstOp;
    if (firstOp <= store.firstOp) return;
    store.firstOp = firstOp;
    this.trees.dropBefore(store.frontier);
  }

  check(commitment: Commitment): void {
    const state = this.states.get(commitment)!;
    expect(hex(commitment.opsRoot)).toBe(hex(state.opsRoot));
    expect(hex(commitment.activityRoot)).toBe(hex(state.activityRoot));
    expect(hex(commitment.root)).toBe(hex(state.root));
    const { opCount, floor, activeCount, place } = commitment;
    expect({ opCount, floor, activeCount }).toEqual({
      opCount: state.ops.length,
      floor: state.floor,
      activeCount: state.latest.size,
    });
    expect({ ...place, previousDigest: hex(place.previousDigest) }).toEqual({
      ...state.place,
      previousDigest: hex(state.place.previousDigest),
    });
  }

  /** Compares the first `count` active ops. */
  checkActive(commitment: Commitment, count = 1_000_000): void {
    const state = this.states.get(commitment)!;
    const names = [...state.latest].sort((a, b) => a[1] - b[1]).slice(0, count);
    const found: [string, number, number][] = [];
    for (const { op, kind, key, height } of commitment.oldestActive()) {
      if (found.length === count) break;
      found.push([`${kind}:${Buffer.from(key).toString('latin1')}`, op, height]);
    }
    expect(found).toEqual(names.map(([name, op]) => [name, op, state.heights[op]!]));
  }
}

export const joined = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
/** from .. to - 1. */
export const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Trees over settled batches; and what the naive twin says. */
export function settled(batches: readonly (readonly StateOp[])[]): { store: NaiveStore; trees: CommitmentTrees } {
  const store = new NaiveStore();
  const trees = CommitmentTrees.empty(kernels, CHAIN_ID, store, store);
  for (const ops of batches) {
    const state = store.state.next(ops);
    const child = trees.tip.next(state.batches.at(-1)!);
    store.state = state;
    trees.absorb(child);
  }
  return { store, trees };
}

/** 40 batches over some 2,400 ops in ten twigs; accounts 0 .. 299 are rewritten in turn, so the floor rises. */
export const LOG: StateOp[][] = range(0, 40).map((height) => [
  ...(height === 0 ? [putBond(5), putRecord(9)] : []),
  ...range(0, 60).map((n) => putAccount((height * 60 + n) % 300, height)),
  ...(height === 39 ? [putBond(3), putBond(5, 99), putRecord(1), putRecord(2, 0), putRecord(9)] : []),
]);

/** A first op to keep: a batch's head below the floor. */
export function dropTo({ store, trees }: ReturnType<typeof settled>, firstOp: number): void {
  store.firstOp = firstOp;
  trees.dropBefore(store.frontier);
}
