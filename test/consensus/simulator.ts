/**
 * A small deterministic network of consensus machines: virtual time, one seed, header-only blocks. The nodes are in
 * sim-node.ts; here are the links between them, with loss, delay, duplication and partitions, and the oracles' hooks.
 */
import { byteKey } from '../../native/index.ts';
import { bestHeader, type Evidence } from '../../src/consensus/index.ts';
import type { ChainOp, ModelRules, ModelState } from './chain-model.ts';
import { ChainModel } from './chain-model.ts';
import { configOf, keyAt } from './fixture.ts';
import { OracleError, Oracles } from './oracles.ts';
import type { Behaviour, Message } from './sim-disk.ts';
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
  /** Observers with a key, who may bond later: the nodes right after the validators. */
  readonly candidates?: number;
  readonly epochs?: Partial<ModelRules>;
  readonly termSlots?: number;
  /** How often a leader makes a decoy of a slot, and hands its lead over. */
  readonly decoyRate?: number;
  readonly handOverRate?: number;
  /** Finality may split: if more than 1/3 of a set is exposed; or, in the very slow band, without anybody's fault. */
  readonly maySplit?: 'exposed' | 'freely';
  readonly behaviours?: readonly Behaviour[];
  readonly timeoutSlots?: number;
  readonly unfinalizedBlocksMax?: number;
  readonly network?: NetworkFaults;
  readonly clockDrift?: number;
  /** What a careless node would lose in a crash: planted faults of the node around the machine. */
  readonly loses?: 'ownVotes' | 'certificates' | 'producedSlots' | 'voteFile';
}

function culpritOf(evidence: Exclude<Evidence, { kind: 'invalidBlock' }>): Uint8Array {
  if (evidence.kind === 'doubleProposal') return evidence.a.leader;
  return evidence.kind === 'decoyVote' ? evidence.vote.voter : evidence.a.voter;
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
  readonly model: ChainModel;
  readonly options: SimulationOptions;
  /** What leaders are to put on the chain. */
  readonly requests: ChainOp[] = [];
  /** How often each kind of effect was seen at honest nodes. */
  readonly seen: Map<string, number> = new Map();
  readonly loses: SimulationOptions['loses'];

  constructor(options: SimulationOptions) {
    this.loses = options.loses;
    this.chance = new Chance(options.seed * 2654435761 + 1);
    const bonds = options.bonds ?? [1n, 1n, 1n, 1n];
    const drift = options.clockDrift ?? 0.01;
    this.network = options.network ?? CALM;
    this.options = options;
    const keys = bonds.length + (options.candidates ?? 0);
    this.rankOf = new Map(Array.from({ length: keys }, (_, index) => [byteKey(keyAt(index)), index]));
    const epochs = { slotsPerEpoch: 64, staleFast: 4, staleSlow: 6, staleVerySlow: 0, ...options.epochs };
    this.model = new ChainModel(bonds, epochs);
    this.oracles = new Oracles(this.model, keys, options.maySplit ?? null);
    const count = keys + (options.observers ?? 0);
    for (let index = 0; index < count; index++) {
      const own = index < keys ? index : null;
      const { timeoutSlots = 4, unfinalizedBlocksMax = 64, termSlots = 0 } = options;
      const { slotsPerEpoch } = epochs;
      const config = configOf({ own, timeoutSlots, unfinalizedBlocksMax, termSlots, slotsPerEpoch });
      const rate = 1 + this.chance.between(-drift, drift);
      this.nodes.push(new SimNode(this, index, config, options.behaviours?.[index] ?? 'honest', rate));
    }
    for (const node of this.nodes) this.time.after(this.chance.between(0, 300), () => node.start());
    for (const node of this.nodes) if (node.behaviour === 'eagerLeader') this.#beEager(node);
  }

  #beEager(node: SimNode): void {
    this.time.after(this.chance.between(300, 3000), () => {
      node.leader.leadEarly();
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

  /** Notes something an honest node has shown. */
  note(by: SimNode, what: string): void {
    if (by.honest) this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }

  /** The newest block final anywhere, as the chain's own state has it. */
  get finalState(): ModelState {
    const highest = this.honest.reduce((a, b) => (b.finalHeight > a.finalHeight ? b : a));
    return this.model.stateOf(byteKey(highest.disk.root.hash));
  }

  /** The state after the best block of the first honest node that is up. */
  get bestState(): ModelState {
    const node = this.honest.find(({ alive }) => alive)!;
    return this.model.stateOf(byteKey(bestHeader(node.state).hash));
  }

  checkFault(by: SimNode, peer: number, code: string): void {
    if (code === 'unrevealedDecoy') return;
    if (by.honest && this.nodes[peer]!.honest)
      throw new OracleError(`honest node ${by.index} blames honest node ${peer}: ${code}`);
  }

  checkEvidence(by: SimNode, evidence: Evidence): void {
    this.note(by, evidence.kind);
    if (evidence.kind === 'invalidBlock') {
      if (!this.oracles.isDecoy(evidence.header)) throw new OracleError('no block was invalid here');
      return;
    }
    const key = culpritOf(evidence);
    this.#askToSlash(this.rankOf.get(byteKey(key))!);
    const culprit = this.nodes[this.rankOf.get(byteKey(key))!]!;
    if (by.honest && culprit.honest)
      throw new OracleError(`node ${by.index} holds ${evidence.kind} evidence against honest node ${culprit.index}`);
  }

  #askToSlash(index: number): void {
    const isAsked = this.requests.some((op) => op.kind === 'slash' && op.index === index);
    if (!isAsked) this.requests.push({ kind: 'slash', index });
  }
}
