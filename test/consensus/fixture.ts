/**
 * Fake keys, headers and votes: right in shape and in what refers to what, without cryptography.
 * A header's hash is SHA-256 over the fields that tell blocks apart; a vote's bytes hold all its fields.
 */
import { createHash } from 'node:crypto';
import type { Hash, Height, PohCount, PublicKey, Signature, Slot } from '../../native/index.ts';
import { byteKey, hash, publicKey, ZERO_HASH } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../../src/codec/model.ts';
import type { ConsensusConfig, Electorate, Member, VoteIntent } from '../../src/consensus/index.ts';

export const HASHES_PER_SLOT = 1000;
const NO_SIGNATURE = new Uint8Array(64) as Signature;
const NO_BYTES = new Uint8Array(0);

export function fakeHash(text: string): Hash {
  return hash(new Uint8Array(createHash('sha256').update(text).digest()));
}

/** Key of validator `index`; higher indexes have lower keys, so that with equal bonds the rank is the index. */
export function keyAt(index: number): PublicKey {
  const bytes = new Uint8Array(32);
  bytes[0] = 255 - index;
  return publicKey(bytes);
}

export const CHAIN_ID: Hash = fakeHash('chain');

export const GENESIS: BlockHeader = {
  chainId: CHAIN_ID,
  height: 0 as Height,
  slot: 0 as Slot,
  parentHash: ZERO_HASH,
  pohCount: 0 as PohCount,
  pohHash: CHAIN_ID,
  entriesRoot: ZERO_HASH,
  transactionCount: 0,
  stateRoot: fakeHash('genesis state'),
  historyLength: 0,
  segmentCount: 0,
  segmentsRoot: ZERO_HASH,
  leader: publicKey(new Uint8Array(32)),
  signature: NO_SIGNATURE,
  bytes: NO_BYTES,
  hash: fakeHash('genesis'),
};

export interface ConfigOptions {
  readonly bonds?: readonly bigint[];
  readonly own?: number | null;
  readonly timeoutSlots?: number;
  readonly unfinalizedBlocksMax?: number;
  readonly slotDurationMs?: number;
  readonly slotsPerEpoch?: number;
  readonly termSlots?: number;
}

/** Members with these bonds, in order of rank; `change` alters some of them by their place in the list. */
export function membersOf(bonds: readonly bigint[], change: Readonly<Record<number, Partial<Member>>> = {}): Member[] {
  const members = bonds.map((weight, index) => ({
    publicKey: keyAt(index),
    weight,
    seat: index,
    inCurrent: true,
    inPrevious: true,
    excluded: false,
    ...change[index],
  }));
  return members.sort((a, b) =>
    a.weight !== b.weight ? (a.weight > b.weight ? -1 : 1) : byteKey(a.publicKey) > byteKey(b.publicKey) ? -1 : 1,
  );
}

/** An electorate of these members, plain but for `change`. */
export function electorateOf(members: readonly Member[], change: Partial<Electorate> = {}): Electorate {
  const plain = { epoch: 0, era: 0, majorityFloor: false, secondary: null, handOver: false, deposed: null };
  return { ...plain, members, ...change };
}

export const FOUR: Electorate = electorateOf(membersOf([1n, 1n, 1n, 1n]));

export function configOf(options: ConfigOptions = {}): ConsensusConfig {
  const own = options.own === undefined ? 0 : options.own;
  return {
    parameters: {
      chainId: CHAIN_ID,
      slotDurationMs: options.slotDurationMs ?? 500,
      timeoutSlots: options.timeoutSlots ?? 4,
      hashesPerSlot: HASHES_PER_SLOT,
      unfinalizedBlocksMax: options.unfinalizedBlocksMax ?? 256,
      slotsPerEpoch: options.slotsPerEpoch ?? 1000,
      termSlots: options.termSlots ?? 0,
    },
    own: own === null ? null : keyAt(own),
  };
}

/** A block on `parent`; `salt` tells proposals for one slot apart. */
export function blockOn(parent: BlockHeader, slot: number, leader: number, salt = ''): BlockHeader {
  const name = `${byteKey(parent.hash)}/${slot}/${leader}/${salt}`;
  return {
    ...GENESIS,
    height: (parent.height + 1) as Height,
    slot: slot as Slot,
    parentHash: parent.hash,
    pohCount: (slot * HASHES_PER_SLOT) as PohCount,
    pohHash: fakeHash(`poh ${name}`),
    stateRoot: fakeHash(`state ${name}`),
    leader: keyAt(leader),
    hash: fakeHash(`block ${name}`),
  };
}

/** Blocks for the slots right after `parent`'s, all by one leader, lowest first. */
export function chainOn(parent: BlockHeader, count: number, leader: number): BlockHeader[] {
  const chain: BlockHeader[] = [];
  for (let i = 0; i < count; i++) {
    const below = chain[i - 1] ?? parent;
    chain.push(blockOn(below, below.slot + 1, leader));
  }
  return chain;
}

function voteBytes(intent: VoteIntent): Uint8Array {
  const slots = Buffer.from(JSON.stringify([intent.sourceSlot, intent.targetSlot, intent.pohCount, intent.leavesSlot]));
  return Buffer.concat([
    intent.voter,
    intent.sourceHash,
    intent.targetHash,
    intent.stateRoot,
    intent.leavesHash,
    slots,
  ]) as Uint8Array;
}

/** "Signs" a vote. */
export function signed(intent: VoteIntent): Vote {
  return { ...intent, signature: NO_SIGNATURE, bytes: voteBytes(intent) };
}

export function voteFor(voter: number, source: BlockHeader, target: BlockHeader): Vote {
  return signed({
    sourceSlot: source.slot,
    sourceHash: source.hash,
    targetSlot: target.slot,
    targetHash: target.hash,
    pohCount: target.pohCount,
    stateRoot: target.stateRoot,
    leavesSlot: 0 as Slot,
    leavesHash: ZERO_HASH,
    voter: keyAt(voter),
  });
}
