/**
 * The chain's own account of its validators, checked: every final block is executed by the plain rules (plain-rules/), which share no code with the ledger, and
 * both must come to the same bonds, sets, eras, exclusions and leaders. Besides:
 *
 * - each block's leader is who the line says;
 * - bonds come back only after the delay, as the plain rules refuse the rest;
 * - nobody honest is ever slashed.
 *
 * What it has seen (why leads changed, who was slashed and when, eras, exclusions) is what a scenario's claims are judged by (claims.ts).
 */
import { byteKey } from '../../native/index.ts';
import { addressOf, type Block, type BlockHeader, blockTransactions, blockVotes } from '../../src/codec/index.ts';
import type { Electorate } from '../../src/consensus/index.ts';
import { readValidators } from '../../src/ledger/index.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import type { ChainSetup } from './chain-setup.ts';
import { culpritKey, plainOps } from './plain-ops.ts';
import { executePlain } from './plain-rules/block.ts';
import { type LeadReason, leadReason, plainLeader } from './plain-rules/line.ts';
import { areQuorum, type PlainBond, PlainRuleBroken, type PlainState, plainGenesis } from './plain-rules/model.ts';
import type { ViolationCode } from './violation.ts';

/** A final block after which somebody else leads, or after a gap. */
export interface LeadChange {
  readonly height: number;
  readonly slot: number;
  readonly gap: number;
  readonly leader: number;
  readonly reason: LeadReason;
  /** It is the secondary that was approved before, and the first in line after a leader that is not. */
  readonly isSecondary: boolean;
}

/** A validator lost its bond. */
export interface Slash {
  readonly rank: number;
  readonly height: number;
  readonly offence: string;
}

export interface ChainWatchDeps {
  readonly chain: ChainSetup;
  readonly genesis: BlockHeader;
  /** Of a key's name; undefined for a stranger's. */
  readonly rankOf: (name: string) => number | undefined;
  readonly mayBeSlashed: (rank: number) => boolean;
  readonly fail: (code: ViolationCode, message: string) => never;
}

export class ChainWatch {
  readonly leads: LeadChange[] = [];
  readonly slashes: Slash[] = [];
  /** Heights of blocks that own up to a decoy. */
  readonly reveals: number[] = [];
  /** How often bonds were made, left, and were withdrawn. */
  readonly bonding: { bonded: number; unbonded: number; withdrawn: number; returned: number } = {
    bonded: 0,
    unbonded: 0,
    withdrawn: 0,
    returned: 0,
  };
  /** Ranks that were excluded, and counted again without having left. */
  readonly readmitted: Set<number> = new Set();
  /** Final blocks, by rank, whose children's electorate did not count a validator that had counted before. */
  readonly blocksWithout: Map<number, number> = new Map();
  readonly #deps: ChainWatchDeps;
  #height = 0;
  #state: PlainState;
  #leader: string;

  constructor(deps: ChainWatchDeps) {
    this.#deps = deps;
    const { chain, genesis } = deps;
    const validators = chain.genesis.validators.map(({ publicKey, bond }) => ({
      name: byteKey(publicKey),
      order: byteKey(addressOf(publicKey)),
      weight: bond,
    }));
    this.#state = plainGenesis(genesis, validators);
    this.#leader = byteKey(genesis.leader);
  }

  /** Height of the final block executed last, and the state after it. */
  get height(): number {
    return this.#height;
  }

  get state(): PlainState {
    return this.#state;
  }

  bondOf(rank: number): PlainBond | undefined {
    return this.#state.bonds.find(({ name }) => this.#deps.rankOf(name) === rank);
  }

  /** Whether a validator counts in the current set after the newest final block. */
  isMember(rank: number): boolean {
    const { members } = this.#state.judge;
    return members.some(({ name, inCurrent, excluded }) => inCurrent && !excluded && this.#deps.rankOf(name) === rank);
  }

  /** Whether validators are a quorum of those who judge after the newest final block. */
  isQuorum(ranks: Iterable<number>): boolean {
    const wanted = new Set(ranks);
    const { judge } = this.#state;
    const names = judge.members.map(({ name }) => name).filter((name) => wanted.has(this.#deps.rankOf(name) ?? -1));
    return areQuorum(judge, new Set(names));
  }

  /** Takes the next final block. */
  take(block: Block): void {
    const { chain, fail } = this.#deps;
    const { header } = block;
    const { consensus } = chain.genesis;
    const before = this.#state;
    const due = plainLeader(consensus, before, this.#leader, header.slot);
    if (due !== byteKey(header.leader))
      fail('leader', `slot ${header.slot} is led by ${this.#who(byteKey(header.leader))}, due is ${this.#who(due)}`);
    this.#noteLead(header, before);
    try {
      const ops = plainOps(blockTransactions(block.entries), header.leader);
      this.#state = executePlain(consensus, before, { header, votes: blockVotes(block.entries), ops });
    } catch (error) {
      if (!(error instanceof PlainRuleBroken)) throw error;
      fail('stake', `height ${header.height}: ${error.message}`);
    }
    this.#height = header.height;
    this.#leader = byteKey(header.leader);
    this.#noteTransactions(block);
    if (this.#state.judge !== before.judge) this.#noteMembers(before);
    this.#noteBlock();
  }

  /** Compares what a node's ledger says after the block executed last. */
  compare(name: string, { header, state, electorate }: ChainBlock): void {
    if (header.height !== this.#height || byteKey(header.hash) !== byteKey(this.#state.header.hash)) return;
    this.compareElectorate(name, electorate);
    const { chain } = this.#deps;
    const theirs = readValidators(chain.rules, state).map((bond) => ({
      name: byteKey(bond.publicKey),
      text: [
        bond.units,
        bond.weight,
        bond.fromEra,
        bond.untilEra,
        bond.leftEpoch,
        bond.missedEpochs,
        bond.excluded,
        bond.slashed,
        bond.asked,
      ].join(' '),
    }));
    const ours = new Map(this.#state.bonds.map((bond) => [bond.name, textOf(bond)]));
    for (const { name: key, text } of theirs)
      if (ours.get(key) !== text)
        this.#deps.fail(
          'stake',
          `${name}, height ${this.#height}: bond of ${this.#who(key)} is ${text}, by the rules ${ours.get(key)}`,
        );
    if (theirs.length !== ours.size)
      this.#deps.fail('stake', `${name} has ${theirs.length} bonds, by the rules ${ours.size}`);
  }

  /** Compares who judges and leads the children of the block executed last. */
  compareElectorate(name: string, electorate: Electorate): void {
    const { judge, secondary, handOver } = this.#state;
    const counts = secondary !== null && judge.members.some((one) => one.name === secondary && !one.excluded);
    const members = judge.members.map(
      (one) => `${this.#who(one.name)}:${one.weight}:${one.inCurrent}:${one.inPrevious}:${one.excluded}`,
    );
    const ours = `${judge.epoch} ${judge.era} ${judge.majorityFloor} ${members.join(',')} ${counts ? this.#who(secondary) : '-'} ${handOver}`;
    const their = electorate.members.map(
      (one) => `${this.#who(byteKey(one.publicKey))}:${one.weight}:${one.inCurrent}:${one.inPrevious}:${one.excluded}`,
    );
    const second = electorate.secondary === null ? '-' : this.#who(byteKey(electorate.secondary));
    const theirs = `${electorate.epoch} ${electorate.era} ${electorate.majorityFloor} ${their.join(',')} ${second} ${electorate.handOver}`;
    if (ours !== theirs)
      this.#deps.fail('stake', `${name}, height ${this.#height}: the electorate is ${theirs}, by the rules ${ours}`);
  }

  #noteLead({ height, slot, leader }: BlockHeader, before: PlainState): void {
    const gap = slot - before.header.slot;
    const isOther = byteKey(leader) !== this.#leader;
    if (before.header.slot === 0 || (!isOther && gap === 1)) return;
    const reason = leadReason(this.#deps.chain.genesis.consensus, before, this.#leader, slot);
    const isSecondary = isOther && before.secondary === byteKey(leader);
    this.leads.push({ height, slot, gap, leader: this.#deps.rankOf(byteKey(leader)) ?? -1, reason, isSecondary });
  }

  #noteTransactions({ header: { height }, entries }: Block): void {
    for (const { payload } of blockTransactions(entries))
      switch (payload.kind) {
        case 'bond':
          this.bonding[payload.amount === 0n ? 'returned' : 'bonded'] += 1;
          break;
        case 'unbond':
          this.bonding.unbonded += 1;
          break;
        case 'withdraw':
          this.bonding.withdrawn += 1;
          break;
        case 'revealDecoy':
          this.reveals.push(height);
          break;
        case 'evidence':
          this.#noteSlash(byteKey(culpritKey(payload.offence)), height, payload.offence.kind);
          break;
      }
  }

  #noteSlash(name: string, height: number, offence: string): void {
    const rank = this.#deps.rankOf(name) ?? -1;
    this.slashes.push({ rank, height, offence });
    if (!this.#deps.mayBeSlashed(rank))
      this.#deps.fail('honest-slashed', `height ${height}: validator ${rank} lost its bond for ${offence}`);
  }

  #noteMembers({ judge: before }: PlainState): void {
    const now = new Map(this.#state.judge.members.map((member) => [member.name, member]));
    for (const { name, excluded } of before.members) {
      const rank = this.#deps.rankOf(name) ?? -1;
      const counts = now.get(name)?.excluded === false;
      if (excluded && counts) this.readmitted.add(rank);
      if (!counts && !this.blocksWithout.has(rank)) this.blocksWithout.set(rank, 0);
    }
  }

  #noteBlock(): void {
    const { members } = this.#state.judge;
    for (const [rank, blocks] of this.blocksWithout)
      if (!members.some(({ name, excluded }) => !excluded && this.#deps.rankOf(name) === rank))
        this.blocksWithout.set(rank, blocks + 1);
  }

  #who(name: string): string {
    return `v${this.#deps.rankOf(name) ?? '?'}`;
  }
}

function textOf(bond: PlainBond): string {
  const { units, weight, fromEra, untilEra, leftEpoch, missed, isExcluded, isSlashed, isLeaving } = bond;
  return [units, weight, fromEra, untilEra, leftEpoch, missed, isExcluded, isSlashed, isLeaving].join(' ');
}
