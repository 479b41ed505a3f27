/**
 * Who voted when, how late by the chain's own time, and whether it counted, worked out from the blocks alone: each vote that stands in a block is judged
 * by the ledger's rules (src/ledger/bonds/votes.ts) on the state after that block.
 */
import { byteKey, type Hash, type PublicKey, sameBytes } from '../../../native/index.ts';
import type { Block, Vote } from '../../codec/index.ts';
import { type Electorate, rankOf } from '../../consensus/index.ts';
import { type ConsensusFields, lateSlotsMax, readEpoch, readProgress, readTally } from '../../ledger/index.ts';
import type { ChainBlock } from '../chain/chain-block.ts';

/** `counted`, or the first reason why not. */
export type VoteVerdict =
  | 'counted'
  /** The same vote stood in the chain before. */
  | 'again'
  /** No block of this chain has that slot and hash. */
  | 'not-on-chain'
  /** State root or PoH count are not the target's. */
  | 'wrong-claim'
  /** The voter is no member of the electorate that judges the target. */
  | 'no-member'
  | 'excluded'
  /** Its source is no block of this chain below the target, or was not justified yet. */
  | 'source-not-justified';

export interface AuditedVote {
  /** Block and entry it stands in. */
  readonly height: number;
  readonly slot: number;
  readonly entry: number;
  readonly voter: PublicKey;
  readonly targetSlot: number;
  readonly targetHash: Hash;
  readonly sourceSlot: number;
  /** PoH counts between the end of the target and the entry, and the same as slots. */
  readonly lateCounts: number;
  readonly lateSlots: number;
  readonly verdict: VoteVerdict;
  /** Whether it showed in time that its voter was present. */
  readonly inTime: boolean;
}

interface Known {
  readonly hash: Hash;
  readonly stateRoot: Hash;
  /** Who judges it. */
  readonly judge: Electorate;
}

/** Where votes stand in their block. */
interface VoteEntry {
  readonly index: number;
  readonly count: number;
  /** Whether a vote for this slot shows its voter present here. */
  readonly isPrompt: (targetSlot: number) => boolean;
}

export class VoteAudit {
  readonly #consensus: ConsensusFields;
  readonly #hashesPerSlot: number;
  readonly #blocks = new Map<number, Known>();
  readonly #seen = new Set<string>();

  constructor(consensus: ConsensusFields, hashesPerSlot: number) {
    this.#consensus = consensus;
    this.#hashesPerSlot = hashesPerSlot;
  }

  /** Takes the next block of the chain and the one it was executed on. @returns its votes, judged */
  take(
    parent: Pick<ChainBlock, 'electorate' | 'header'>,
    block: Block,
    after: Pick<ChainBlock, 'state'>,
  ): AuditedVote[] {
    const { header, entries } = block;
    const isPrompt = (targetSlot: number): boolean =>
      targetSlot === parent.header.slot ||
      header.slot - targetSlot <= lateSlotsMax(this.#consensus, readEpoch(after.state));
    const votes = entries.flatMap((entry, index) =>
      entry.kind === 'votes'
        ? entry.votes.map((vote) => this.#audit(block, { index, count: entry.count, isPrompt }, vote, after))
        : [],
    );
    this.#blocks.set(header.slot, { hash: header.hash, stateRoot: header.stateRoot, judge: parent.electorate });
    return votes;
  }

  #audit({ header }: Block, entry: VoteEntry, vote: Vote, after: Pick<ChainBlock, 'state'>): AuditedVote {
    const { voter, targetSlot, targetHash, sourceSlot } = vote;
    const lateCounts = entry.count - targetSlot * this.#hashesPerSlot;
    const verdict = this.#verdict(vote, after);
    const isShown = !['not-on-chain', 'wrong-claim', 'no-member'].includes(verdict);
    return {
      height: header.height,
      slot: header.slot,
      entry: entry.index,
      voter,
      targetSlot,
      targetHash,
      sourceSlot,
      lateCounts,
      lateSlots: lateCounts / this.#hashesPerSlot,
      verdict,
      inTime: isShown && entry.isPrompt(targetSlot),
    };
  }

  #verdict(vote: Vote, after: Pick<ChainBlock, 'state'>): VoteVerdict {
    const target = this.#blocks.get(vote.targetSlot);
    if (target === undefined || !sameBytes(target.hash, vote.targetHash)) return 'not-on-chain';
    const isRight =
      sameBytes(target.stateRoot, vote.stateRoot) && vote.pohCount === vote.targetSlot * this.#hashesPerSlot;
    if (!isRight) return 'wrong-claim';
    const member = target.judge.members[rankOf(target.judge, vote.voter) ?? -1];
    if (member === undefined) return 'no-member';
    if (!this.#isSource(vote, after)) return 'source-not-justified';
    const name = `${byteKey(vote.voter)}${byteKey(vote.targetHash)}`;
    if (this.#seen.has(name)) return 'again';
    this.#seen.add(name);
    return member.excluded ? 'excluded' : 'counted';
  }

  #isSource({ sourceSlot, sourceHash, targetSlot }: Vote, { state }: Pick<ChainBlock, 'state'>): boolean {
    if (sourceSlot >= targetSlot) return false;
    const { final } = readProgress(state);
    if (sourceSlot < final.slot) return true;
    if (sourceSlot === final.slot) return sameBytes(sourceHash, final.hash);
    const tally = readTally(state, sourceSlot);
    return tally !== undefined && sameBytes(tally.hash, sourceHash) && tally.justified;
  }
}
