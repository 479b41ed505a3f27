/**
 * Every vote and block that ever left a node, whoever saw it: from this alone, without the node's own code, the oracles work out what is justified and
 * who can be slashed.
 *
 * Memory: what lies more than `SLOTS_KEPT` slots below the last final block is forgotten.
 */
import { byteKey, type PublicKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../../src/codec/index.ts';
import type { Electorate, Member } from '../../src/consensus/index.ts';

const SLOTS_KEPT = 2_000;

interface KnownBlock {
  readonly header: BlockHeader;
  isJustified: boolean;
}

/** Two votes of one voter that no honest voter casts together. */
export interface SlashablePair {
  readonly rank: number;
  readonly kind: 'double' | 'surround';
  readonly a: Vote;
  readonly b: Vote;
}

export class VoteRecord {
  readonly #bonds: readonly bigint[];
  readonly #total: bigint;
  readonly #blocks = new Map<string, KnownBlock>();
  readonly #votesFor = new Map<string, { slot: number; votes: { rank: number; vote: Vote }[] }>();
  readonly #cast: Vote[][];
  /** By rank: the bytes of each vote cast. */
  readonly #known: Set<string>[];
  readonly #finalSlots = new Map<string, number>();
  /** Who judges the children of a block, as the nodes' ledgers worked it out, by the block's hash. */
  readonly #judges = new Map<string, { slot: number; electorate: Electorate }>();
  readonly #rankByKey: ReadonlyMap<string, number>;
  #prunedBelow = 0;

  constructor(bonds: readonly bigint[], keys: readonly PublicKey[], genesis: BlockHeader) {
    this.#rankByKey = new Map(keys.map((key, rank) => [byteKey(key), rank]));
    this.#bonds = bonds;
    this.#total = bonds.reduce((sum, bond) => sum + bond, 0n);
    this.#cast = bonds.map(() => []);
    this.#known = bonds.map(() => new Set());
    this.#blocks.set(byteKey(genesis.hash), { header: genesis, isJustified: true });
    this.#finalSlots.set(byteKey(genesis.hash), 0);
  }

  addBlock(header: BlockHeader): void {
    const key = byteKey(header.hash);
    if (!this.#blocks.has(key)) this.#blocks.set(key, { header, isJustified: false });
  }

  /** Notes a vote. @returns what it makes slashable, if anything; null also for one known already */
  addVote(rank: number, vote: Vote): SlashablePair | null {
    const cast = this.#cast[rank]!;
    const known = this.#known[rank]!;
    const name = byteKey(vote.bytes);
    if (known.has(name)) return null;
    known.add(name);
    const last = cast.at(-1);
    const isNext = last === undefined || (vote.targetSlot > last.targetSlot && vote.sourceSlot >= last.sourceSlot);
    const pair = isNext ? null : pairAmong(rank, cast, vote);
    cast.push(vote);
    const key = byteKey(vote.targetHash);
    const others = this.#votesFor.get(key);
    if (others === undefined) this.#votesFor.set(key, { slot: vote.targetSlot, votes: [{ rank, vote }] });
    else others.votes.push({ rank, vote });
    return pair;
  }

  /** Every pair of votes that can be slashed, one for each voter that has any. */
  slashable(): SlashablePair[] {
    return this.#cast.flatMap((cast, rank) => {
      for (let at = 1; at < cast.length; at += 1) {
        const pair = pairAmong(rank, cast.slice(0, at), cast[at]!);
        if (pair !== null) return [pair];
      }
      return [];
    });
  }

  stakeOf(ranks: Iterable<number>): bigint {
    let stake = 0n;
    for (const rank of new Set(ranks)) stake += this.#bonds[rank]!;
    return stake;
  }

  /** Notes who judges the children of a block. The sets come from the nodes; what they make of votes is counted here anew. */
  addJudge({ hash, slot }: BlockHeader, electorate: Electorate): void {
    this.#judges.set(byteKey(hash), { slot, electorate });
  }

  /** Who judges the children of a block, if anybody has told. */
  judgeAfter({ hash }: BlockHeader): Electorate | undefined {
    return this.#judges.get(byteKey(hash))?.electorate;
  }

  /**
   * Whether these voters are a quorum for a block: more than 2/3 of what is not excluded in both sets, and more than half of both full sets while some are
   * excluded. null when nobody has told who judges it.
   */
  isQuorumFor({ parentHash }: BlockHeader, ranks: Iterable<number>): boolean | null {
    const judge = this.#judges.get(byteKey(parentHash))?.electorate;
    if (judge === undefined) return null;
    const voters = new Set(ranks);
    const isMet = (isIn: (member: Member) => boolean): boolean => {
      let [full, active, voted] = [0n, 0n, 0n];
      for (const member of judge.members) {
        if (!isIn(member)) continue;
        full += member.weight;
        if (member.excluded) continue;
        active += member.weight;
        if (voters.has(this.#rankByKey.get(byteKey(member.publicKey)) ?? -1)) voted += member.weight;
      }
      return 3n * voted > 2n * active && (!judge.majorityFloor || 2n * voted > full);
    };
    return isMet(({ inCurrent }) => inCurrent) && isMet(({ inPrevious }) => inPrevious);
  }

  /** Bonds of one third or more. */
  isThird(ranks: Iterable<number>): boolean {
    return 3n * this.stakeOf(ranks) >= this.#total;
  }

  /** Marks a block final: sources below it are not looked into for what builds on it. */
  addFinal(header: BlockHeader): void {
    this.addBlock(header);
    this.#finalSlots.set(byteKey(header.hash), header.slot);
    this.#prune(header.slot - SLOTS_KEPT);
  }

  /** Whether voters with a quorum voted for it over sources that are justified and lie below it, as far as votes have left their voters. */
  isJustified(header: BlockHeader): boolean {
    const block = this.#blocks.get(byteKey(header.hash));
    if (block === undefined || block.isJustified) return block?.isJustified ?? false;
    const finalSlot = this.#highestFinalBelow(header);
    const ranks = new Set<number>();
    for (const { rank, vote } of this.#votesFor.get(byteKey(header.hash))?.votes ?? [])
      if (vote.sourceSlot < finalSlot || this.#isGoodSource(vote, header)) ranks.add(rank);
    // Nobody was seen to judge it: a node that finalized many at once. Its certificate is judged all the same.
    block.isJustified = this.isQuorumFor(header, ranks) ?? true;
    return block.isJustified;
  }

  #isGoodSource({ sourceHash, sourceSlot }: Vote, target: BlockHeader): boolean {
    const source = this.#blocks.get(byteKey(sourceHash))?.header;
    if (source === undefined || source.slot !== sourceSlot || source.height >= target.height) return false;
    let at: BlockHeader | undefined = target;
    while (at !== undefined && at.height > source.height) at = this.#blocks.get(byteKey(at.parentHash))?.header;
    return at === source && this.isJustified(source);
  }

  #highestFinalBelow(header: BlockHeader): number {
    for (let key = byteKey(header.parentHash); ; ) {
      const slot = this.#finalSlots.get(key);
      if (slot !== undefined) return slot;
      const parent = this.#blocks.get(key);
      if (parent === undefined) return 0;
      key = byteKey(parent.header.parentHash);
    }
  }

  #prune(below: number): void {
    if (below < this.#prunedBelow + SLOTS_KEPT / 4) return;
    this.#prunedBelow = below;
    for (const [key, { header }] of this.#blocks) if (header.slot < below) this.#blocks.delete(key);
    for (const [key, slot] of this.#finalSlots) if (slot < below) this.#finalSlots.delete(key);
    for (const [key, { slot }] of this.#judges) if (slot < below) this.#judges.delete(key);
    for (const [key, { slot }] of this.#votesFor) if (slot < below) this.#votesFor.delete(key);
    for (const [rank, cast] of this.#cast.entries()) {
      const kept = cast.filter(({ targetSlot }, at) => targetSlot >= below || at === cast.length - 1);
      this.#cast[rank] = kept;
      this.#known[rank] = new Set(kept.map(({ bytes }) => byteKey(bytes)));
    }
  }
}

function pairAmong(rank: number, earlier: readonly Vote[], vote: Vote): SlashablePair | null {
  for (const other of earlier) {
    if (other.targetSlot === vote.targetSlot && Buffer.compare(other.targetHash, vote.targetHash) !== 0)
      return { rank, kind: 'double', a: other, b: vote };
    const [outer, inner] = other.sourceSlot < vote.sourceSlot ? [other, vote] : [vote, other];
    if (outer.sourceSlot < inner.sourceSlot && inner.targetSlot < outer.targetSlot)
      return { rank, kind: 'surround', a: outer, b: inner };
  }
  return null;
}
