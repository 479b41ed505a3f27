/**
 * A light client's way from one electorate to the next: asks peers for hand-overs and follows those that hold, trusting nobody but whom it knows already.
 *
 * Invariants
 * - `known` moves only to an electorate that a checked hand-over shows; every signature that counts was checked here. It never goes back.
 * - What does not hold is the peer's fault; what came before it stays followed.
 * - Memory: one hand-over at a time, however many there are. Each answer is bounded (protocols.ts), and another is asked for only when the last one led on.
 */
import type { Kernels } from '../../../native/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import {
  type Genesis,
  genesisElectorate,
  type HandOver,
  HandOverError,
  type KnownElectorate,
  knownBy,
  readHandOver,
  requireNext,
  requireQuorum,
  votesOf,
} from '../../ledger/index.ts';
import { PeerFault, type PeerName, type Transport } from '../../net/transport.ts';
import { encodeMessage, HAND_OVERS_MAX, HAND_OVERS_SIZE_BYTES_MAX, PROTOCOL } from '../protocols.ts';
import { ask } from '../relay/ask.ts';
import type { SignatureChecks } from '../signature-checks.ts';

export interface WalkDeps {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly signatures: SignatureChecks;
  readonly chainId: Uint8Array;
  /** Keeps a hand-over that was followed, before `known` moves; it may refuse one by throwing `HandOverError`. */
  readonly keep?: (handOver: HandOver) => Promise<void>;
}

/** Where everybody starts: who judges by genesis. */
export function knownByGenesis(genesis: Genesis, { height, hash }: BlockHeader): KnownElectorate {
  return { electorate: genesisElectorate(genesis), block: { height, hash } };
}

export class HandOverWalk {
  readonly #deps: WalkDeps;
  #known: KnownElectorate;

  /** @param start genesis, or what was followed and kept before */
  constructor(deps: WalkDeps, start: KnownElectorate) {
    this.#deps = deps;
    this.#known = start;
  }

  get known(): KnownElectorate {
    return this.#known;
  }

  /** Follows a peer's hand-overs as long as their blocks are not above `height`. Throws `PeerFault`, `TransportError`. @returns how many were followed */
  async follow(peer: PeerName, height: number): Promise<number> {
    for (let followed = 0; ; ) {
      const came = await this.#followSome(peer, height);
      followed += came.followed;
      if (came.isEnd) return followed;
    }
  }

  async #followSome(peer: PeerName, height: number): Promise<{ followed: number; isEnd: boolean }> {
    const request = encodeMessage({ fromEpoch: this.#known.electorate.epoch + 1 });
    const question = {
      protocol: PROTOCOL.handOvers,
      request,
      framesMax: HAND_OVERS_MAX,
      sizeBytesMax: HAND_OVERS_SIZE_BYTES_MAX,
    };
    let followed = 0;
    for await (const frame of ask(this.#deps.transport, peer, question)) {
      if (!(await this.#step(peer, frame, height))) return { followed, isEnd: true };
      followed += 1;
    }
    return { followed, isEnd: followed === 0 };
  }

  /** Follows one; false when its block is above `height`. */
  async #step(peer: PeerName, frame: Uint8Array, height: number): Promise<boolean> {
    const { kernels, chainId, signatures, keep } = this.#deps;
    try {
      const handOver = readHandOver(kernels, chainId, frame);
      requireNext(this.#known, handOver);
      const votes = votesOf(handOver);
      const verdicts = await signatures.votes(votes);
      requireQuorum(
        handOver,
        votes.filter((_, index) => verdicts[index]),
      );
      if (handOver.header.height > height) return false;
      await keep?.(handOver);
      this.#known = knownBy(handOver);
      return true;
    } catch (error) {
      if (error instanceof HandOverError) throw new PeerFault(peer, `hand-over-${error.code}`, error.message);
      throw error;
    }
  }
}
