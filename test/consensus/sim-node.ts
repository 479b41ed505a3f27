/**
 * One node of the simulated network: what the real one will be to the machine. It carries out effects, keeps a disk that
 * survives a crash (votes, certificates, verified blocks, the newest final block), verifies and persists with delays, and serves its
 * chain to others. Byzantine validators run the same machine and lie in what they send.
 */
import { byteKey, type Slot } from '../../native/index.ts';
import type { Vote } from '../../src/codec/model.ts';
import type {
  ConsensusConfig,
  ConsensusEffect,
  ConsensusEvent,
  ConsensusState,
  Evidence,
  Executed,
  VoteIntent,
} from '../../src/consensus/index.ts';
import { bestHeader, createConsensus, finalizedHeader, step } from '../../src/consensus/index.ts';
import type { SimBlock } from './chain-model.ts';
import { GENESIS, signed } from './fixture.ts';
import { OracleError } from './oracles.ts';
import { type Behaviour, Disk, type Message } from './sim-disk.ts';
import { SimLeader } from './sim-leader.ts';
import type { Simulation } from './simulator.ts';

/** Blocks a peer serves in one answer. */
const RANGE_SERVED_MAX = 96;

export class SimNode {
  readonly index: number;
  readonly behaviour: Behaviour;
  readonly disk: Disk = new Disk();
  readonly evidence: Evidence[] = [];
  readonly leader: SimLeader;
  readonly #net: Simulation;
  readonly #config: ConsensusConfig;
  readonly #rate: number;
  readonly #offsetMs: number;
  state: ConsensusState;
  alive: boolean = true;
  blocks: Map<string, SimBlock> = new Map();
  /** Lives begun. */
  life: number = 0;
  #wakeRound = 0;
  /** Certificates that came with blocks not verified yet. */
  #offered: Map<string, readonly Vote[]> = new Map();

  constructor(net: Simulation, index: number, config: ConsensusConfig, behaviour: Behaviour, rate: number) {
    this.#net = net;
    this.index = index;
    this.#config = config;
    this.behaviour = behaviour;
    this.#rate = rate;
    this.#offsetMs = index * 1_000_003;
    this.state = this.#create();
    this.leader = new SimLeader(this, net, config, rate);
    if (behaviour === 'dead') this.alive = false;
  }

  get honest(): boolean {
    return this.behaviour === 'honest' || this.behaviour === 'silentLeader' || this.behaviour === 'omittingLeader';
  }
  get finalHeight(): number {
    return this.disk.root.height;
  }

  #localMs(): number {
    return this.#offsetMs + this.#net.time.nowMs * this.#rate;
  }

  #create(): ConsensusState {
    const { root, ownVotes, highestSignedSlot } = this.disk;
    const { electorate } = this.#net.model.stateOf(byteKey(root.hash));
    const { votesLost } = this.disk;
    const start = { root, electorate, votesLost, ownVotes, highestProducedSlot: highestSignedSlot as Slot };
    return createConsensus(this.#config, start, this.#localMs());
  }

  /** Runs `work` later, unless this life of the node has ended by then. */
  later(delayMs: number, work: () => void): void {
    const life = this.life;
    this.#net.time.after(delayMs, () => {
      if (this.alive && life === this.life) work();
    });
  }

  feed(event: ConsensusEvent): void {
    for (const effect of step(this.state, event, this.#localMs())) this.#perform(effect);
  }

  start(): void {
    if (!this.alive) return;
    this.feed({ kind: 'wake' });
    this.later(this.#net.chance.between(20, 400), () => this.feed({ kind: 'peersReady' }));
  }

  crash(): void {
    this.alive = false;
    this.life += 1;
    this.leader.forget();
    this.#offered = new Map();
    this.blocks = new Map();
  }

  #loseWhatACarelessNodeWould(): void {
    const { loses } = this.#net;
    if (loses === 'ownVotes' || loses === 'voteFile') this.disk.ownVotes = [];
    if (loses === 'voteFile') this.disk.votesLost = true;
    if (loses === 'certificates') this.disk.certificates.clear();
    if (loses !== 'producedSlots') return;
    this.disk.highestSignedSlot = 0;
    for (const [key, { header }] of this.disk.blocks)
      if (this.#net.rankOf.get(byteKey(header.leader)) === this.index) this.disk.blocks.delete(key);
  }

  restart(): void {
    if (this.alive || this.behaviour === 'dead') return;
    this.#loseWhatACarelessNodeWould();
    this.alive = true;
    this.life += 1;
    this.state = this.#create();
    this.blocks = new Map(this.disk.blocks);
    const pending = [...this.disk.blocks.values()].sort((a, b) => a.header.height - b.header.height);
    for (const { header } of pending) this.feed({ kind: 'block', header, from: null });
    for (const { votes } of pending) for (const vote of votes) this.feed({ kind: 'vote', vote, from: null });
    for (const [key, votes] of this.disk.certificates) {
      this.#offered.set(key, votes);
      for (const vote of votes) this.feed({ kind: 'vote', vote, from: null });
    }
    this.start();
  }

  receive(message: Message, from: number): void {
    if (!this.alive) return;
    switch (message.kind) {
      case 'block': {
        const { block } = message;
        const key = byteKey(block.header.hash);
        if (!this.blocks.has(key)) this.blocks.set(key, block);
        if (message.certificate !== undefined && !this.disk.blocks.has(key))
          this.#offered.set(key, message.certificate);
        this.feed({ kind: 'block', header: block.header, from: String(from) });
        for (const vote of block.votes) this.feed({ kind: 'vote', vote, from: null });
        for (const vote of message.certificate ?? []) this.feed({ kind: 'vote', vote, from: null });
        return;
      }
      case 'vote':
        this.feed({ kind: 'vote', vote: message.vote, from: String(from) });
        return;
      case 'fetch': {
        const block = this.blocks.get(message.key) ?? this.disk.blocks.get(message.key);
        const isChecked = this.disk.blocks.has(message.key) || (block?.header.height ?? 0) <= this.disk.root.height;
        if (block !== undefined && isChecked) this.#net.send(this.index, from, { kind: 'block', block });
        return;
      }
      case 'fetchRange':
        this.#serveRange(message.fromHeight, message.toHeight, from);
        return;
    }
  }

  #serveRange(fromHeight: number, toHeight: number, to: number): void {
    const open: SimBlock[] = [];
    for (let at = this.blocks.get(byteKey(bestHeader(this.state).hash)); at !== undefined; ) {
      if (at.header.height <= this.disk.root.height) break;
      open.push(at);
      at = this.blocks.get(byteKey(at.header.parentHash));
    }
    const chain = [...this.disk.final.slice(fromHeight), ...open.reverse()];
    const asked = chain.filter(({ header }) => header.height >= fromHeight && header.height <= toHeight);
    for (const block of asked.slice(0, RANGE_SERVED_MAX)) {
      const certificate = this.disk.certificates.get(byteKey(block.header.hash)) ?? [];
      this.#net.send(this.index, to, { kind: 'block', block, certificate });
    }
  }

  #perform(effect: ConsensusEffect): void {
    this.#net.note(this, effect.kind);
    switch (effect.kind) {
      case 'verifyBlock':
        this.#verify(byteKey(effect.hash));
        return;
      case 'requestBlock':
        this.#net.send(this.index, this.#peer(effect.from), { kind: 'fetch', key: byteKey(effect.hash) });
        return;
      case 'requestRange': {
        const { fromHeight, toHeight } = effect;
        this.#net.send(this.index, this.#peer(effect.from), { kind: 'fetchRange', fromHeight, toHeight });
        return;
      }
      case 'castVote':
        this.#castVote(effect.vote);
        return;
      case 'sendVote':
        this.#net.broadcast(this.index, { kind: 'vote', vote: effect.vote });
        return;
      case 'includeVote':
        this.leader.includeVote(effect.vote);
        return;
      case 'lead':
        this.leader.lead(byteKey(effect.parentHash), effect.slot, effect.votes);
        return;
      case 'stopLeading':
        this.leader.stop();
        return;
      case 'justified':
        this.disk.certificates.set(byteKey(effect.hash), effect.votes);
        return;
      case 'finalize':
        this.#finalize(effect);
        return;
      case 'prune':
        for (const hash of effect.hashes) {
          this.blocks.delete(byteKey(hash));
          this.disk.blocks.delete(byteKey(hash));
        }
        return;
      case 'evidence':
        this.evidence.push(effect.evidence);
        this.#net.checkEvidence(this, effect.evidence);
        return;
      case 'wakeAt':
        this.#wakeAt(effect.ms);
        return;
      case 'peerFault':
        this.#net.checkFault(this, Number(effect.peer), effect.code);
        return;
      case 'bestChanged':
        return;
      case 'conflict':
        this.#net.oracles.conflictSeen(effect.votes);
        return;
    }
  }

  #peer(from: string | null): number {
    if (from !== null) return Number(from);
    const others = this.#net.nodes.length - 1;
    const pick = this.#net.chance.below(Math.max(1, others));
    return pick >= this.index ? pick + 1 : pick;
  }

  #verify(key: string): void {
    const block = this.blocks.get(key);
    if (block === undefined) throw new OracleError(`node ${this.index} was asked to verify a block it had to forget`);
    const { hash } = block.header;
    this.later(this.#net.chance.between(1, 40), () => {
      if (block.isDecoy === true && this.behaviour !== 'lazyVoter') {
        this.feed({ kind: 'verified', hash, valid: false, reason: 'state root differs', decoyLike: true });
        return;
      }
      this.disk.blocks.set(key, block);
      this.feed({ kind: 'verified', hash, valid: true, ...this.executed(block) });
      for (const vote of block.votes) this.feed({ kind: 'vote', vote, from: null });
      for (const vote of this.#offered.get(key) ?? []) this.feed({ kind: 'vote', vote, from: null });
      this.#offered.delete(key);
    });
  }

  executed(block: SimBlock): Executed {
    const { electorate } = this.#net.model.execute(block);
    const reveals = (block.reveals ?? []).map(({ hash, slot }) => ({ hash, slot, secret: hash }));
    return { electorate, reveals };
  }

  #castVote(intent: VoteIntent): void {
    this.later(this.#net.chance.between(0, 12), () => {
      const vote = signed(intent);
      this.#net.oracles.voteSigned(vote, this.honest);
      this.disk.ownVotes = [...this.disk.ownVotes, vote].filter(
        (v, i, all) => v.targetSlot > this.disk.root.slot || i === all.length - 1,
      );
      if (this.#net.chance.hits(this.#net.crashInVoteRate) && this.honest) {
        this.#net.crashFor(this, 3000);
        return;
      }
      this.feed({ kind: 'ownVotePersisted', vote });
      if (this.behaviour === 'equivocatingVoter') this.#voteForOthersToo(intent);
    });
  }

  /** Signs votes for every other block seen at this slot or above, from old sources too, and shows each to some nodes only. */
  #voteForOthersToo(intent: VoteIntent): void {
    for (const { header } of this.blocks.values()) {
      if (header.slot < intent.targetSlot || byteKey(header.hash) === byteKey(intent.targetHash)) continue;
      const parent = this.blocks.get(byteKey(header.parentHash))?.header ?? GENESIS;
      const old = this.#net.chance.hits(0.5) ? parent : finalizedHeader(this.state);
      if (old.slot >= header.slot) continue;
      const { slot: targetSlot, hash: targetHash, pohCount, stateRoot } = header;
      const target = { targetSlot, targetHash, pohCount, stateRoot };
      const vote = signed({ ...intent, ...target, sourceSlot: old.slot, sourceHash: old.hash });
      this.#net.oracles.voteSigned(vote, false);
      for (const node of this.#net.nodes)
        if (node !== this && this.#net.chance.hits(0.6)) this.#net.send(this.index, node.index, { kind: 'vote', vote });
    }
  }

  #finalize({ hashes, certificate }: Extract<ConsensusEffect, { kind: 'finalize' }>): void {
    const blocks = hashes.map((hash) => this.blocks.get(byteKey(hash)));
    if (blocks.some((block) => block === undefined))
      throw new OracleError(`node ${this.index} was asked to finalize a block it had to forget`);
    if (this.honest)
      this.#net.oracles.finalized(
        blocks.map((block) => block!.header),
        certificate,
      );
    for (const block of blocks) {
      this.disk.final.push(block!);
      this.disk.root = block!.header;
      const key = byteKey(block!.header.hash);
      this.disk.blocks.delete(key);
    }
    for (const key of [...this.blocks.keys()]) {
      const height = this.blocks.get(key)!.header.height;
      if (height < this.disk.root.height - 8) this.blocks.delete(key);
    }
  }

  #wakeAt(ms: number): void {
    this.#wakeRound += 1;
    const round = this.#wakeRound;
    this.later((ms - this.#localMs()) / this.#rate, () => {
      if (round === this.#wakeRound) this.feed({ kind: 'wake' });
    });
  }
}
