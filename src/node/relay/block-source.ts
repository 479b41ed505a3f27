/**
 * Serves blocks to peers and fetches them from peers: by hash, and by stretches of the best chain, each block followed by the votes that justified it.
 *
 * Invariants
 * - What comes in is decoded, compared with what was asked for, and handed on; nothing is kept here.
 * - At most one fetch by hash per block and one stretch at a time are under way; answers are bounded (protocols.ts).
 * - A peer whose answer breaks the format is held to account; one that is silent costs a timeout, then the next is asked.
 */
import { byteKey, type Hash, type Kernels } from '../../../native/index.ts';
import { type Block, CodecError, decodeBlock, decodeVote, VOTE_SIZE_BYTES, type Vote } from '../../codec/index.ts';
import { PeerFault, type PeerName, type Transport } from '../../net/transport.ts';
import type { Logger } from '../log.ts';
import {
  decodeMessage,
  encodeMessage,
  FETCH_BLOCKS_MAX,
  FETCH_SIZE_BYTES_MAX,
  HashRequest,
  PROTOCOL,
  RangeRequest,
} from '../protocols.ts';
import { ask } from './ask.ts';

/** A block as peers send it: its exact bytes, and the votes for it (concatenated, may be empty). */
export interface ServedBlock {
  readonly bytes: Uint8Array;
  readonly votes: Uint8Array;
}

export interface BlockSourceDeps {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly log: Logger;
  /** Connected peers that keep blocks: validators and archives. */
  readonly sources: () => readonly PeerName[];
  /** A block this node holds, by hash; undefined when it does not. */
  readonly byHash: (hash: Uint8Array) => Promise<ServedBlock | undefined>;
  /** The block of the best chain at a height. */
  readonly byHeight: (height: number) => Promise<ServedBlock | undefined>;
  /** Takes a decoded block from a peer. Throws `PeerFault` when the block cannot come from an honest peer. */
  readonly onBlock: (block: Block, from: PeerName) => void;
  readonly onVotes: (votes: readonly Vote[], from: PeerName) => void;
}

export class BlockSource {
  readonly #deps: BlockSourceDeps;
  readonly #wanted = new Set<string>();
  #rangeUnderWay = false;
  #bytesFetched = 0;
  /** Stretches asked of any peer so far. */
  #rounds = 0;

  constructor(deps: BlockSourceDeps) {
    this.#deps = deps;
  }

  /** Answers peers from now on. */
  serve(): void {
    const { transport } = this.#deps;
    transport.handle(PROTOCOL.blocks, (from, request) => this.#receivePush(from, request));
    transport.handle(PROTOCOL.block, (from, request) => this.#serveBlock(from, request));
    transport.handle(PROTOCOL.range, (from, request) => this.#serveRange(from, request));
  }

  /** Block bytes fetched since the start. */
  get bytesFetched(): number {
    return this.#bytesFetched;
  }

  /** Pushes a new block to every peer that keeps blocks. Failures are the peers' to mend: they fetch what they miss. */
  push(bytes: Uint8Array): void {
    for (const peer of this.#deps.sources()) void this.#pushTo(peer, bytes);
  }

  /** Fetches one block by hash from `from`, else from any peer that has it. */
  async fetchBlock(hash: Hash, from: PeerName | null): Promise<void> {
    const key = byteKey(hash);
    if (this.#wanted.has(key)) return;
    this.#wanted.add(key);
    try {
      for (const peer of this.#candidates(from)) {
        const isAsked = ({ header }: Block): boolean => byteKey(header.hash) === key;
        if ((await this.#fetch(peer, PROTOCOL.block, { hash }, 1, isAsked)) > 0) return;
      }
    } finally {
      this.#wanted.delete(key);
    }
  }

  /**
   * Fetches heights `fromHeight` .. `toHeight` of a peer's best chain, lowest first. `from` null: of any peer, each time of the next one first, since
   * one that is on the same branch, or lies, would hide what the others have.
   */
  async fetchRange(fromHeight: number, toHeight: number, from: PeerName | null): Promise<void> {
    if (this.#rangeUnderWay) return;
    this.#rangeUnderWay = true;
    try {
      const countMax = Math.min(FETCH_BLOCKS_MAX, toHeight - fromHeight + 1);
      const isAsked = ({ header }: Block, at: number): boolean => header.height === fromHeight + at;
      const request = { from: fromHeight, countMax };
      for (const peer of from === null ? this.#nextInTurn() : this.#candidates(from))
        if ((await this.#fetch(peer, PROTOCOL.range, request, countMax, isAsked)) > 0) return;
    } finally {
      this.#rangeUnderWay = false;
    }
  }

  #candidates(first: PeerName | null): PeerName[] {
    const peers = this.#deps.sources();
    return first !== null && peers.includes(first) ? [first, ...peers.filter((peer) => peer !== first)] : [...peers];
  }

  #nextInTurn(): PeerName[] {
    const peers = this.#candidates(null);
    const first = this.#rounds++ % Math.max(1, peers.length);
    return [...peers.slice(first), ...peers.slice(0, first)];
  }

  /** Requests frames of block, votes, block, votes ...; answers how many blocks came. Others than those asked for are the peer's fault. */
  async #fetch(
    peer: PeerName,
    protocol: string,
    message: Record<string, unknown>,
    blocksMax: number,
    isAsked: (block: Block, at: number) => boolean,
  ): Promise<number> {
    let count = 0;
    let block: Block | undefined;
    try {
      const request = encodeMessage(message);
      const question = { protocol, request, framesMax: 2 * blocksMax, sizeBytesMax: 2 * FETCH_SIZE_BYTES_MAX };
      for await (const frame of ask(this.#deps.transport, peer, question)) {
        this.#bytesFetched += frame.length;
        if (block === undefined) {
          block = this.#decode(frame, peer);
          if (!isAsked(block, count)) throw new PeerFault(peer, 'wrong-block', `${protocol}: not the block asked for`);
          continue;
        }
        this.#deps.onBlock(block, peer);
        const votes = decodeVotes(frame, peer);
        if (votes.length > 0) this.#deps.onVotes(votes, peer);
        block = undefined;
        count += 1;
      }
    } catch (error) {
      if (error instanceof PeerFault) this.#deps.transport.ban(peer, `${error.code}: ${error.message}`);
      this.#deps.log.debug({ peer, protocol, error: (error as Error).message }, 'fetch ended early');
    }
    return count;
  }

  #decode(frame: Uint8Array, peer: PeerName): Block {
    try {
      return decodeBlock(this.#deps.kernels, frame);
    } catch (error) {
      if (error instanceof CodecError) throw new PeerFault(peer, 'malformed-block', error.message);
      throw error;
    }
  }

  async #pushTo(peer: PeerName, bytes: Uint8Array): Promise<void> {
    try {
      const question = { protocol: PROTOCOL.blocks, request: bytes, framesMax: 0, sizeBytesMax: 0 };
      for await (const _ of ask(this.#deps.transport, peer, question));
    } catch (error) {
      this.#deps.log.debug({ peer, error: (error as Error).message }, 'push of a block failed');
    }
  }

  async *#receivePush(from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    this.#deps.onBlock(this.#decode(request, from), from);
    yield* NO_FRAMES;
  }

  async *#serveBlock(from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    const { hash } = decodeMessage(HashRequest, request, from, PROTOCOL.block);
    const served = await this.#deps.byHash(hash);
    if (served === undefined) return;
    yield served.bytes;
    yield served.votes;
  }

  async *#serveRange(from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    const range = decodeMessage(RangeRequest, request, from, PROTOCOL.range);
    let sizeBytes = 0;
    for (let count = 0; count < Math.min(range.countMax, FETCH_BLOCKS_MAX); count += 1) {
      const served = await this.#deps.byHeight(range.from + count);
      if (served === undefined || sizeBytes + served.bytes.length > FETCH_SIZE_BYTES_MAX) return;
      sizeBytes += served.bytes.length;
      yield served.bytes;
      yield served.votes;
    }
  }
}

/** An answer that says only "received". */
const NO_FRAMES: readonly Uint8Array[] = [];

/** Votes as they travel: one after the other, each of fixed size. */
export function encodeVotes(votes: readonly Vote[]): Uint8Array {
  const bytes = new Uint8Array(votes.length * VOTE_SIZE_BYTES);
  for (let index = 0; index < votes.length; index += 1) bytes.set(votes[index]!.bytes, index * VOTE_SIZE_BYTES);
  return bytes;
}

/** Most votes beside one block. */
const VOTES_MAX = 4096;

function decodeVotes(frame: Uint8Array, peer: PeerName): Vote[] {
  const count = frame.length / VOTE_SIZE_BYTES;
  if (!Number.isInteger(count) || count > VOTES_MAX)
    throw new PeerFault(peer, 'malformed-votes', `${frame.length} bytes are no votes`);
  try {
    return Array.from({ length: count }, (_, index) =>
      decodeVote(frame.slice(index * VOTE_SIZE_BYTES, (index + 1) * VOTE_SIZE_BYTES)),
    );
  } catch (error) {
    throw new PeerFault(peer, 'malformed-votes', (error as Error).message);
  }
}
