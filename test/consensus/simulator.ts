/**
 * A small deterministic network of consensus machines: virtual time, one seed, header-only blocks. The nodes are in
 * sim-node.ts; here are the links between them, with loss, delay, duplication and partitions, and the oracles' hooks.
 */
import { byteKey } from '../../native/index.ts';
import type { Evidence } from '../../src/consensus/index.ts';
import { configOf, keyAt } from './fixture.ts';
import { OracleError, Oracles } from './oracles.ts';
import type { Behaviour, Message } from './sim-node.ts';
import { SimNode } from './sim-node.ts';
import { Chance, VirtualTime } from './virtual-time.ts';

export interface NetworkFaults {
  readonly lossRate: number;
  readonly duplicateRate: number;
  readonly delayMs: readonly [number, number];
}

export const CALM: NetworkFaults = { lossRate: 0, duplicateRate: 0, delayMs: [2, 60] };

export interface SimulationOptions {
  readonly seed: number;
  readonly bonds?: readonly bigint[];
  readonly observers?: number;
  readonly behaviours?: readonly Behaviour[];
  readonly timeoutSlots?: number;
  readonly unfinalizedBlocksMax?: number;
  readonly network?: NetworkFaults;
  readonly clockDrift?: number;
  /** What a careless node would lose in a crash: planted faults of the node around the machine. */
  readonly loses?: 'ownVotes' | 'certificates' | 'producedSlots';
}

export class Simulation {
  readonly time: VirtualTime = new VirtualTime();
  readonly chance: Chance;
  readonly oracles: Oracles;
  readonly nodes: SimNode[] = [];
  readonly rankOf: ReadonlyMap<string, number>;
  network: NetworkFaults;
  /** Group of each node; messages pass inside a group only. null: no partition. */
  groups: readonly number[] | null = null;
  /** How often a node dies between signing a vote and sending it. */
  crashInVoteRate = 0;
  messagesSent = 0;
  readonly loses: SimulationOptions['loses'];

  constructor(options: SimulationOptions) {
    this.loses = options.loses;
    this.chance = new Chance(options.seed * 2654435761 + 1);
    const bonds = options.bonds ?? [1n, 1n, 1n, 1n];
    const drift = options.clockDrift ?? 0.01;
    this.network = options.network ?? CALM;
    this.rankOf = new Map(bonds.map((_, index) => [byteKey(keyAt(index)), index]));
    this.oracles = new Oracles(bonds, this.rankOf);
    const count = bonds.length + (options.observers ?? 0);
    for (let index = 0; index < count; index++) {
      const own = index < bonds.length ? index : null;
      const { timeoutSlots = 4, unfinalizedBlocksMax = 64 } = options;
      const config = configOf({ bonds, own, timeoutSlots, unfinalizedBlocksMax });
      const rate = 1 + this.chance.between(-drift, drift);
      this.nodes.push(new SimNode(this, index, config, options.behaviours?.[index] ?? 'honest', rate));
    }
    for (const node of this.nodes) this.time.after(this.chance.between(0, 300), () => node.start());
    for (const node of this.nodes) if (node.behaviour === 'eagerLeader') this.#beEager(node);
  }

  #beEager(node: SimNode): void {
    this.time.after(this.chance.between(300, 3000), () => {
      node.leadEarly();
      this.#beEager(node);
    });
  }

  get honest(): readonly SimNode[] {
    return this.nodes.filter((node) => node.honest);
  }
  /** Height every living honest node has finalized. */
  get lowestFinalHeight(): number {
    return Math.min(...this.honest.filter((node) => node.alive).map((node) => node.finalHeight));
  }

  run(durationMs: number, done?: () => boolean): void {
    this.time.runUntil(this.time.nowMs + durationMs, done);
  }

  broadcast(from: number, message: Message): void {
    for (const node of this.nodes) if (node.index !== from) this.send(from, node.index, message);
  }

  send(from: number, to: number, message: Message): void {
    this.messagesSent += 1;
    if (this.groups !== null && this.groups[from] !== this.groups[to]) return;
    const { lossRate, duplicateRate, delayMs } = this.network;
    if (this.chance.hits(lossRate)) return;
    const copies = this.chance.hits(duplicateRate) ? 2 : 1;
    for (let i = 0; i < copies; i++)
      this.time.after(this.chance.between(...delayMs), () => this.nodes[to]?.receive(message, from));
  }

  crashFor(node: SimNode, downMs: number): void {
    node.crash();
    this.time.after(downMs, () => node.restart());
  }

  checkFault(by: SimNode, peer: number, code: string): void {
    if (by.honest && this.nodes[peer]!.honest)
      throw new OracleError(`honest node ${by.index} blames honest node ${peer}: ${code}`);
  }

  checkEvidence(by: SimNode, evidence: Evidence): void {
    if (evidence.kind === 'invalidBlock') throw new OracleError('no block was invalid here');
    const key = evidence.kind === 'doubleProposal' ? evidence.a.leader : evidence.a.voter;
    const culprit = this.nodes[this.rankOf.get(byteKey(key))!]!;
    if (by.honest && culprit.honest)
      throw new OracleError(`node ${by.index} holds ${evidence.kind} evidence against honest node ${culprit.index}`);
  }
}
