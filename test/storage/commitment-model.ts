/**
 * The commitment said in the plainest way: every leaf in an array, the bitmap out of a Map of each key's latest op, roots hashed anew
 * each time. The slow twin that storage/commitment must equal. And the ports under the fast one, over the same arrays.
 */
import { createHash } from 'node:crypto';
import { byteKey } from '../../native/index.ts';
import { Frontier } from '../../storage/commitment/frontier.ts';
import { packHashes } from '../../storage/commitment/inclusion.ts';
import { merkleRoot } from '../../storage/commitment/merkle.ts';
import type { PositionSource, TwigOps, TwigSource } from '../../storage/commitment/sources.ts';
import { encodeBatch, opOffsets } from '../../storage/oplog/batch.ts';
import type { BatchPlace, StateOp } from '../../storage/state-reader.ts';
import { kernels } from './kernels-fixture.ts';
import { naiveLeaf } from './merkle-naive.ts';

const sha256 = (...parts: Uint8Array[]): Uint8Array => {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return new Uint8Array(digest.digest());
};
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const u64 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
};

export const CHAIN_ID: Uint8Array = sha256(ascii('a chain of tests'));

/** `account:...`, `bond:...` or `record:...`, and the key's bytes as latin1. */
export function keyName(op: StateOp): string {
  if (op.kind === 'putRecord' || op.kind === 'deleteRecord') return `record:${byteKey(op.key)}`;
  return `${op.kind.endsWith('Bond') ? 'bond' : 'account'}:${byteKey(op.address)}`;
}

/** Everything after some batches. Immutable. */
export class NaiveState {
  readonly batches: readonly Uint8Array[];
  readonly ops: readonly Uint8Array[];
  readonly leaves: readonly Uint8Array[];
  /** Height of each op. */
  readonly heights: readonly number[];
  readonly latest: ReadonlyMap<string, number>;
  readonly place: BatchPlace;

  private constructor(parts: Omit<NaiveState, 'next' | 'floor' | 'chunks' | 'opsRoot' | 'activityRoot' | 'root'>) {
    this.batches = parts.batches;
    this.ops = parts.ops;
    this.leaves = parts.leaves;
    this.heights = parts.heights;
    this.latest = parts.latest;
    this.place = parts.place;
  }

  /** The state before genesis. */
  static before(chainId: Uint8Array): NaiveState {
    return new NaiveState({
      batches: [],
      ops: [],
      leaves: [],
      heights: [],
      latest: new Map(),
      place: { height: 0, previousFrameSizeBytes: 0, frameOffset: 0, floor: 0, previousDigest: chainId },
    });
  }

  static readonly empty: NaiveState = NaiveState.before(CHAIN_ID);

  /** The state after one more batch of these ops. */
  next(stateOps: readonly StateOp[]): NaiveState {
    const batch = encodeBatch(this.place, stateOps);
    const latest = new Map(this.latest);
    for (const [index, op] of stateOps.entries())
      if (op.kind.startsWith('put')) latest.set(keyName(op), this.ops.length + 1 + index);
      else latest.delete(keyName(op));
    const offsets = opOffsets(batch);
    const added = Array.from({ length: stateOps.length + 1 }, (_, i) => batch.subarray(offsets[i]!, offsets[i + 1]!));
    const frameSize = Math.ceil((40 + batch.length) / 8) * 8;
    const state = new NaiveState({
      batches: [...this.batches, batch],
      ops: [...this.ops, ...added],
      leaves: [...this.leaves, ...added.map(naiveLeaf)],
      heights: [...this.heights, ...added.map(() => this.place.height)],
      latest,
      place: this.place,
    });
    const place = {
      height: this.place.height + 1,
      previousFrameSizeBytes: frameSize,
      frameOffset: this.place.frameOffset + frameSize,
      floor: state.floor,
      previousDigest: sha256(ascii('cairn/batch/1'), batch),
    };
    return new NaiveState({ ...state, place });
  }

  get floor(): number {
    return Math.min(this.ops.length, ...this.latest.values());
  }

  get chunks(): Uint8Array[] {
    const chunks = Array.from({ length: Math.ceil(this.ops.length / 256) }, () => new Uint8Array(32));
    for (const op of this.latest.values()) chunks[Math.floor(op / 256)]![Math.floor((op % 256) / 8)]! |= 1 << (op % 8);
    return chunks;
  }

  get opsRoot(): Uint8Array {
    return merkleRoot(kernels, packHashes(this.leaves));
  }

  get activityRoot(): Uint8Array {
    return merkleRoot(kernels, packHashes(this.chunks.map(naiveLeaf)));
  }

  get root(): Uint8Array {
    const counts = [u64(this.ops.length), u64(this.floor)];
    return sha256(ascii('cairn/state/2'), this.opsRoot, this.activityRoot, ...counts);
  }
}

/** The durable state and log under the trees: what a `NaiveState` holds, from some op on. */
export class NaiveStore implements PositionSource, TwigSource {
  state: NaiveState;
  firstOp = 0;
  /** Times a key was looked up, and a twig read. */
  lookups = 0;
  twigReads = 0;

  constructor(state: NaiveState = NaiveState.empty) {
    this.state = state;
  }

  accountPositions(addresses: Uint8Array, positions: Float64Array): void {
    this.#positions('account', addresses, positions);
  }

  bondPositions(addresses: Uint8Array, positions: Float64Array): void {
    this.#positions('bond', addresses, positions);
  }

  #positions(kind: string, addresses: Uint8Array, positions: Float64Array): void {
    if (addresses.length !== positions.length * 20) throw new Error('20 bytes for each position');
    for (let index = 0; index < positions.length; index++) {
      const address = addresses.subarray(index * 20, index * 20 + 20);
      positions[index] = this.state.latest.get(`${kind}:${byteKey(address)}`) ?? -1;
      this.lookups += 1;
    }
  }

  recordPosition(key: Uint8Array): number {
    return this.state.latest.get(`record:${byteKey(key)}`) ?? -1;
  }

  readTwig(index: number): TwigOps {
    this.twigReads += 1;
    const firstOp = Math.max(this.firstOp, index * 256);
    const ops = this.state.ops.slice(firstOp, index * 256 + 256);
    if (ops.length === 0) throw new Error(`twig ${index} is not kept`);
    const offsets = new Uint32Array(ops.length + 1);
    for (const [at, op] of ops.entries()) offsets[at + 1] = offsets[at]! + op.length;
    return { firstOp, bytes: new Uint8Array(Buffer.concat(ops)), offsets };
  }

  heightOf(op: number): number {
    if (op < this.firstOp) throw new Error(`op ${op} is not kept`);
    return this.state.heights[op]!;
  }

  /** Frontier of the ops tree at the first kept op. */
  get frontier(): Frontier {
    return Frontier.empty.appendMany(kernels, packHashes(this.state.leaves.slice(0, this.firstOp)));
  }
}

/** Account number n's address: the first bytes of equal ones are spread. */
export const addressOf = (n: number): Uint8Array => sha256(ascii(`account ${n}`)).slice(0, 20);
export const putAccount = (n: number, balance: number = n): StateOp => ({
  kind: 'putAccount',
  address: addressOf(n),
  balance: BigInt(balance),
});
export const deleteAccount = (n: number): StateOp => ({ kind: 'deleteAccount', address: addressOf(n) });
export const putRecord = (n: number, size: number = n % 50): StateOp => ({
  kind: 'putRecord',
  key: ascii(`record ${n}`),
  value: new Uint8Array(size).fill(n),
});
export const deleteRecord = (n: number): StateOp => ({ kind: 'deleteRecord', key: ascii(`record ${n}`) });
/** Bonds have the addresses of accounts: the two never touch. */
export const putBond = (n: number, bond: number = n): StateOp => ({
  kind: 'putBond',
  address: addressOf(n),
  bond: BigInt(bond),
  lastVote: 7n,
  details: new Uint8Array(24).fill(n),
});
export const deleteBond = (n: number): StateOp => ({ kind: 'deleteBond', address: addressOf(n) });
