/** A chain whose validators change, with real votes and a real store; and light clients' way through it. */
import { byteKey } from '../../native/index.ts';
import type { Certificate, SigningKey, Transaction, Vote } from '../../src/codec/index.ts';
import { areQuorum, linkVotesOf, readProgress } from '../../src/ledger/index.ts';
import type { Transport } from '../../src/net/transport.ts';
import { type ChainBlock, settleBlock } from '../../src/node/chain/chain-block.ts';
import { ChainStore, type OpenedChain } from '../../src/node/chain/chain-store.ts';
import { HandOverWalk, knownByGenesis, type WalkDeps } from '../../src/node/hand-overs/hand-over-walk.ts';
import { kernels, makeBlock, newWorld, rootOf, SILENT, voteFor, type World, type WorldOptions } from './world.ts';

/** The way from genesis. */
export function walkOf(world: World, transport: Transport, keep?: WalkDeps['keep']): HandOverWalk {
  const { signatures, rules } = world.check;
  const deps = { kernels, transport, signatures, chainId: rules.chainId, ...(keep === undefined ? {} : { keep }) };
  return new HandOverWalk(deps, knownByGenesis(world.genesis, rootOf(world).header));
}

/** Quick epochs. */
export function changingWorld(options: WorldOptions = {}): World {
  return newWorld({
    ...options,
    consensus: {
      slotsPerEpoch: 8,
      staleEpochsFast: 2,
      staleEpochsSlow: 3,
      voteLateSlotsMax: 3,
      unbondingEpochs: 2,
      minimumBond: '10',
      ...options.consensus,
    },
  });
}

/** Makes blocks of every slot, and finalizes as a node does. */
export class ChangingChain {
  readonly world: World;
  readonly directory: string;
  opened: OpenedChain;
  tip: ChainBlock;
  /** Every block, from height 1 on. */
  readonly blocks: ChainBlock[] = [];
  /** Blocks that are not final, ascending. */
  readonly #pending: ChainBlock[] = [];
  /** Certificates by the height of the block that they make final. */
  readonly certificates: Map<number, Certificate> = new Map();
  finalHeight = 0;

  private constructor(world: World, directory: string, opened: OpenedChain) {
    this.world = world;
    this.directory = directory;
    this.opened = opened;
    this.tip = opened.root;
  }

  static async open(world: World, directory: string): Promise<ChangingChain> {
    return new ChangingChain(world, directory, await openStore(world, directory));
  }

  get store(): ChainStore {
    return this.opened.store;
  }

  get handOvers(): Uint8Array[] {
    return [...this.store.handOvers.from(0, 1000)];
  }

  /** Blocks up to and including a slot, with these keys' votes in them; the transactions stand in the first. */
  async advance(
    toSlot: number,
    voters: readonly SigningKey[],
    transactions: readonly Transaction[] = [],
  ): Promise<void> {
    let batches = transactions.length === 0 ? [] : [transactions];
    while (this.tip.header.slot < toSlot) {
      const votes = this.#votesBy(voters);
      const block = makeBlock(this.world, this.tip, { batches, ...(votes.length === 0 ? {} : { votes }) });
      batches = [];
      this.blocks.push(block);
      this.#pending.push(block);
      this.tip = block;
      await this.#finalizeBy(this.#votesBy(voters));
    }
  }

  /** Votes for the tip from the newest block shown justified. */
  #votesBy(voters: readonly SigningKey[]): Vote[] {
    if (this.tip.header.slot === 0) return [];
    const { justified } = readProgress(this.tip.state);
    return voters.map((key) => voteFor(key, { ...this.tip.header, ...justified }, this.tip.header));
  }

  async #finalizeBy(votes: readonly Vote[]): Promise<void> {
    const final = this.#pending.at(-2);
    if (final === undefined) return;
    const members = new Set(final.electorate.members.map(({ publicKey }) => byteKey(publicKey)));
    const certificate = { header: this.tip.header, votes: votes.filter(({ voter }) => members.has(byteKey(voter))) };
    if (!areQuorum(final.electorate, linkVotesOf(final.header, certificate))) return;
    this.certificates.set(final.header.height, certificate);
    for (const block of this.#pending.splice(0, this.#pending.length - 1)) {
      await (block === final ? this.store.finalizeLast(block, certificate) : this.store.finalize(block));
      settleBlock(block);
    }
    await this.store.persistFinality(final, certificate);
    this.finalHeight = final.header.height;
    this.opened = { ...this.opened, root: final };
  }
}

export function openStore({ genesis, check }: World, directory: string): Promise<OpenedChain> {
  return ChainStore.open({ directory, genesis, check, log: SILENT });
}
