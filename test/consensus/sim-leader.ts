/**
 * A simulated node's side as a leader: blocks slot after slot, decoys, what the chain is to hold, and the lies of those that cheat with blocks. What is durable first (block and highest
 * slot) is what survives a crash.
 */
import { byteKey } from '../../native/index.ts';
import type { BlockHeader, Vote } from '../../src/codec/model.ts';
import type { ConsensusConfig } from '../../src/consensus/index.ts';
import { bestHeader, leaderOf } from '../../src/consensus/index.ts';
import type { ChainOp, SimBlock } from './chain-model.ts';
import { blockOn, keyAt } from './fixture.ts';
import { OracleError } from './oracles.ts';
import type { SimNode } from './sim-node.ts';
import type { Simulation } from './simulator.ts';

export class SimLeader {
  readonly #node: SimNode;
  readonly #net: Simulation;
  readonly #config: ConsensusConfig;
  /** Milliseconds of a slot by this node's clock. */
  readonly #slotMs: number;
  #round = 0;
  #toInclude: Vote[] = [];
  #toReveal: BlockHeader[] = [];

  constructor(node: SimNode, net: Simulation, config: ConsensusConfig, rate: number) {
    this.#node = node;
    this.#net = net;
    this.#config = config;
    this.#slotMs = config.parameters.slotDurationMs / rate;
  }

  /** It has crashed, or leads no more. */
  stop(): void {
    this.#round += 1;
  }

  forget(): void {
    this.stop();
    this.#toInclude = [];
    this.#toReveal = [];
  }

  /** A decoy of this life is not owned up to yet. */
  get owesReveal(): boolean {
    return this.#toReveal.length > 0;
  }

  includeVote(vote: Vote): void {
    this.#toInclude.push(vote);
  }

  lead(parentKey: string, slot: number, votes: readonly Vote[]): void {
    this.#round += 1;
    if (this.#node.behaviour === 'silentLeader') return;
    this.#toInclude = [...votes];
    const parent =
      byteKey(this.#node.disk.root.hash) === parentKey
        ? this.#node.disk.root
        : this.#node.blocks.get(parentKey)?.header;
    if (parent === undefined)
      throw new OracleError(`node ${this.#node.index} was asked to lead on a block it had to forget`);
    this.#produceNext(this.#round, parent, slot, (slot - parent.slot) * 20);
  }

  #produceNext(round: number, parent: BlockHeader, slot: number, extraMs: number): void {
    this.#node.later(this.#slotMs * this.#net.chance.between(0.98, 1.02) + extraMs, () => {
      if (round !== this.#round || slot <= this.#node.disk.highestSignedSlot || !this.#mayLead(parent, slot)) return;
      const { decoyRate = 0 } = this.#net.options;
      if (this.#net.chance.hits(decoyRate) && this.#mayLead(parent, slot + 1)) {
        this.#publishDecoy(parent, slot);
        if (round === this.#round) this.#produceNext(round, parent, slot + 1, 0);
        return;
      }
      const header = this.#publish(parent, slot);
      if (round === this.#round) this.#produceNext(round, header, slot + 1, 0);
    });
  }

  /** Whether the slot is still this node's: a block of its own may have ended its lead. */
  #mayLead(parent: BlockHeader, slot: number): boolean {
    const { electorate } = this.#net.model.stateOf(byteKey(parent.hash));
    const leader = leaderOf(electorate, parent, slot, this.#config.parameters);
    return leader !== null && byteKey(leader) === byteKey(keyAt(this.#node.index));
  }

  /** Shows a block that nobody can have executed to everybody; the next own block owns up to it. */
  #publishDecoy(parent: BlockHeader, slot: number): void {
    const header = blockOn(parent, slot, this.#node.index, `decoy ${this.#node.life}`);
    this.#node.disk.highestSignedSlot = slot;
    this.#toReveal.push(header);
    this.#net.oracles.headerMade(header, this.#node.index, this.#node.honest, true);
    const block: SimBlock = { header, votes: [], isDecoy: true };
    for (const node of this.#net.nodes)
      if (node !== this.#node) this.#net.send(this.#node.index, node.index, { kind: 'block', block });
    this.#node.feed({ kind: 'decoyed', header });
  }

  /** What the chain does not hold yet of all that is asked for; and now and then the end of this lead. */
  #opsOn(parent: BlockHeader, slot: number): ChainOp[] {
    const { bonds, electorate, epoch } = this.#net.model.stateOf(byteKey(parent.hash));
    const ops = this.#net.requests.filter((op) => {
      if (op.kind === 'handOver') return false;
      if (op.kind === 'secondary')
        return electorate.secondary === null || byteKey(electorate.secondary) !== byteKey(keyAt(op.index));
      const bond = bonds.find(({ index }) => index === op.index);
      if (op.kind === 'bond') return bond === undefined;
      if (op.kind === 'unbond') return bond?.isLeaving === false && !bond.isSlashed;
      return bond?.isSlashed === false;
    });
    // Who is back asks to enter again; a new epoch may let it in by itself.
    const isSameEpoch = Math.floor(slot / this.#config.parameters.slotsPerEpoch) === epoch;
    const back = bonds.filter(({ index, mayReturn }) => isSameEpoch && mayReturn && this.#isHeard(index));
    for (const { index } of back) ops.push({ kind: 'return', index });
    return this.#net.chance.hits(this.#net.options.handOverRate ?? 0) ? [...ops, { kind: 'handOver' }] : ops;
  }

  #isHeard(index: number): boolean {
    const { groups, nodes } = this.#net;
    return nodes[index]!.alive && (groups === null || groups[index] === groups[this.#node.index]);
  }

  /** Makes a block; what is durable first (block and highest slot) is what survives a crash at this point. */
  #publish(parent: BlockHeader, slot: number): BlockHeader {
    const votes = this.#node.behaviour === 'omittingLeader' ? [] : this.#toInclude;
    const header = blockOn(parent, slot, this.#node.index, `life ${this.#node.life}`);
    const block: SimBlock = { header, votes, ops: this.#opsOn(parent, slot), reveals: this.#toReveal };
    this.#toInclude = [];
    this.#toReveal = [];
    this.#node.disk.highestSignedSlot = slot;
    this.#node.disk.blocks.set(byteKey(block.header.hash), block);
    this.#node.blocks.set(byteKey(block.header.hash), block);
    this.#net.oracles.headerMade(block.header, this.#node.index, this.#node.honest);
    const twin = this.#node.behaviour === 'equivocatingLeader' && this.#net.chance.hits(0.5);
    const other = { ...block, header: blockOn(parent, slot, this.#node.index, `twin ${this.#node.life}`) };
    if (twin) this.#net.oracles.headerMade(other.header, this.#node.index, false);
    for (const node of this.#net.nodes)
      if (node !== this.#node) {
        const shown = twin && this.#net.chance.hits(0.5) ? other : block;
        this.#net.send(this.#node.index, node.index, { kind: 'block', block: shown });
      }
    this.#node.feed({ kind: 'produced', header, ...this.#node.executed(block) });
    return header;
  }

  /** Byzantine: takes the next turn as soon as it sees a block, without waiting for its time. */
  leadEarly(): void {
    if (!this.#node.alive) return;
    const parent = bestHeader(this.#node.state);
    for (let slot = parent.slot + 1; slot < parent.slot + 64; slot++)
      if (slot > this.#node.disk.highestSignedSlot && this.#mayLead(parent, slot)) {
        if (byteKey(parent.leader) !== byteKey(keyAt(this.#node.index))) this.#publish(parent, slot);
        return;
      }
  }
}
