/**
 * How Byzantine nodes lie. They run the real node's code; what leaves them is changed on the way, or said besides.
 */
import { byteKey } from '../../native/index.ts';
import {
  type BlockHeader,
  decodeBlock,
  decodeHeader,
  decodeVote,
  HEADER_SIZE_BYTES,
  signVote,
  VOTE_SIZE_BYTES,
  type Vote,
} from '../../src/codec/index.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { REPEAT_SIZE_BYTES, repeatOf } from '../../src/node/relay/vote-gossip.ts';
import type { Chance } from './chance.ts';
import { emptyBlock, type ForgeTools, withheld, wrongPoh, wrongState } from './forge.ts';
import { LongRangeFork } from './long-range.ts';
import type { ByzantineKind } from './scenario.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Simulation } from './simulation.ts';
import { shortHash } from './trace.ts';

/** What a lying node says instead. */
export interface Tongue {
  readonly onPublish?: (topic: string, message: Uint8Array) => readonly Uint8Array[] | null;
  readonly onPush?: (peer: string, block: Uint8Array) => Uint8Array | null;
}

/** How often a lie is told where there is a choice. */
const LIE_RATE = 0.4;
/** How often a replayer or a long-range forker speaks up, ms. */
const SPEAK_MS = [800, 4_000] as const;
const HEADERS_KEPT = 64;
const VOTES_KEPT = 2_000;

export class Byzantium {
  readonly #simulation: Simulation;
  readonly #chance: Chance;
  /** Headers that left any node lately. */
  readonly #headers: BlockHeader[] = [];
  /** Votes that left any node, with their topic. */
  readonly #votes: { readonly topic: string; readonly message: Uint8Array }[] = [];
  /** By rank. */
  readonly #provable: Map<number, number> = new Map();

  constructor(simulation: Simulation, chance: Chance) {
    this.#simulation = simulation;
    this.#chance = chance;
  }

  /** What the network has said, for liars to use. */
  heardBlock(header: BlockHeader): void {
    this.#headers.push(header);
    if (this.#headers.length > HEADERS_KEPT) this.#headers.shift();
  }

  heardVote(topic: string, message: Uint8Array): void {
    this.#votes.push({ topic, message });
    if (this.#votes.length > VOTES_KEPT) this.#votes.shift();
  }

  /** How often a validator has said two things of which both together prove that it cheats. A double voter needs two blocks of one slot for that, which faults must bring. */
  provableLies(rank: number): number {
    return this.#provable.get(rank) ?? 0;
  }

  kindOf({ rank }: SimulatedNode): ByzantineKind | undefined {
    return rank === null ? undefined : this.#simulation.options.scenario.byzantine?.[rank];
  }

  /** How a node changes what it says; undefined for one that does not. */
  tongueOf(node: SimulatedNode): Tongue | undefined {
    switch (this.kindOf(node)) {
      case 'equivocating-leader':
        return {
          onPush: this.#perBlock(
            node,
            (block, tools, parent) => emptyBlock(tools, parent, block.header.slot).block!,
            true,
          ),
        };
      case 'invalid-state':
        return { onPush: this.#perBlock(node, (block, tools) => wrongState(tools, block)) };
      case 'invalid-poh':
        return { onPush: this.#perBlock(node, (block, tools) => wrongPoh(tools, block)) };
      case 'withheld-entries':
        return { onPush: this.#perBlock(node, (block) => (block.entries.length > 2 ? withheld(block) : block)) };
      case 'silent-leader':
        return { onPush: () => null };
      case 'double-voter':
        return { onPublish: (_, message) => this.#twoVotes(node, message) };
      case 'vote-forger':
        return { onPublish: (_, message) => this.#forgedVotes(message) };
      default:
        return undefined;
    }
  }

  /** A node has started: those that speak of their own accord begin. */
  up(node: SimulatedNode): void {
    const kind = this.kindOf(node);
    if (kind === 'replayer') this.#speak(node, node.lives, () => this.#replay(node));
    if (kind !== 'long-range') return;
    const fork = new LongRangeFork(this.#simulation.chain, this.#tools(node));
    this.#speak(node, node.lives, () => fork.push(node, this.#simulation.oracles.finalHeight + 8, this.#chance));
  }

  #speak(node: SimulatedNode, life: number, act: () => void): void {
    this.#simulation.time.after(this.#chance.between(...SPEAK_MS), () => {
      if (node.lives !== life || node.node === undefined) return;
      act();
      this.#speak(node, life, act);
    });
  }

  #tools({ key }: SimulatedNode): ForgeTools {
    const { shared, chain } = this.#simulation;
    const { hashesPerTick, ticksPerSlot } = chain.genesis.poh;
    return {
      kernels: shared.checking,
      rules: chain.rules,
      poh: { hashesPerTick, ticksPerSlot },
      idSecret: Uint32Array.of(1, 2, 3, 4),
      key: key!,
    };
  }

  /** Decides for each block whether to lie about it; with `toSome` half of the peers get the truth. */
  #perBlock(
    node: SimulatedNode,
    forge: (
      block: ReturnType<typeof decodeBlock>,
      tools: ForgeTools,
      parent: ChainBlock,
    ) => { readonly bytes: Uint8Array },
    toSome = false,
  ): (peer: string, bytes: Uint8Array) => Uint8Array | null {
    let last: { readonly truth: Uint8Array; readonly lie: Uint8Array | null } | undefined;
    return (_, bytes) => {
      if (last?.truth !== bytes)
        last = { truth: bytes, lie: this.#chance.hits(LIE_RATE) ? this.#lie(node, bytes, forge) : null };
      if (last.lie === null || (toSome && this.#chance.hits(0.5))) return bytes;
      return last.lie;
    };
  }

  #lie(
    node: SimulatedNode,
    bytes: Uint8Array,
    forge: (
      block: ReturnType<typeof decodeBlock>,
      tools: ForgeTools,
      parent: ChainBlock,
    ) => { readonly bytes: Uint8Array },
  ): Uint8Array | null {
    const { shared, trace } = this.#simulation;
    const { parentHash, leader } = decodeHeader(shared.checking, bytes.slice(0, HEADER_SIZE_BYTES));
    const parent = node.node?.tree.verified(parentHash);
    if (parent === undefined || byteKey(leader) !== byteKey(node.key!.publicKey)) return null;
    const block = decodeBlock(shared.checking, Uint8Array.from(bytes));
    trace.add('byzantine', node.name, { lie: this.kindOf(node)!, slot: block.header.slot });
    if (this.kindOf(node) === 'equivocating-leader') this.#lied(node);
    return forge(block, this.#tools(node), parent).bytes;
  }

  /** A second vote: for another block of that slot or later, from the same source or an old one. */
  #twoVotes(node: SimulatedNode, message: Uint8Array): readonly Uint8Array[] | null {
    const vote = decodeVote(message.slice(0, VOTE_SIZE_BYTES));
    const others = this.#headers.filter(
      ({ slot, hash }) => slot >= vote.targetSlot && byteKey(hash) !== byteKey(vote.targetHash),
    );
    const older = this.#headers.filter(({ slot }) => slot < vote.sourceSlot);
    const target = others.length > 0 ? this.#chance.pick(others) : undefined;
    if (target === undefined) return null;
    const source = older.length > 0 && this.#chance.hits(0.5) ? this.#chance.pick(older) : undefined;
    const said = signVote(
      target.chainId,
      {
        ...vote,
        targetSlot: target.slot,
        targetHash: target.hash,
        pohCount: target.pohCount,
        stateRoot: target.stateRoot,
        ...(source === undefined ? {} : { sourceSlot: source.slot, sourceHash: source.hash }),
      },
      node.key!,
    );
    if (target.slot === vote.targetSlot) this.#lied(node);
    this.#simulation.trace.add('byzantine', null, {
      lie: 'double-voter',
      target: target.slot,
      hash: shortHash(target.hash),
    });
    return [message, said.bytes];
  }

  #lied({ rank }: SimulatedNode): void {
    this.#provable.set(rank!, this.provableLies(rank!) + 1);
  }

  /** Votes in everybody's name, without their keys. */
  #forgedVotes(message: Uint8Array): readonly Uint8Array[] {
    const vote: Vote = decodeVote(message.slice(0, VOTE_SIZE_BYTES));
    const { validators, rules } = this.#simulation.chain;
    const forged = validators.map(({ publicKey }) =>
      signVote(rules.chainId, vote, { publicKey, address: validators[0]!.address, sign: () => vote.signature }),
    );
    return [message, ...forged.map(({ bytes }) => bytes).filter((bytes) => Buffer.compare(bytes, message) !== 0)];
  }

  /** Old votes again, in any order, straight to neighbours, now and then with fresh bytes behind them, as if they were sent again. */
  #replay({ transport }: SimulatedNode): void {
    const peers = transport?.peers() ?? [];
    if (peers.length === 0 || this.#votes.length === 0) return;
    for (let count = 0; count < 20; count += 1) {
      const { topic, message } = this.#chance.pick(this.#votes);
      const vote = message.slice(0, VOTE_SIZE_BYTES);
      const said = this.#chance.hits(0.5) ? repeatOf(vote, this.#chance.bytes(REPEAT_SIZE_BYTES)) : message;
      transport!.sendRaw(this.#chance.pick(peers), topic, said);
    }
  }
}
