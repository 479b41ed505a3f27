/**
 * A chain node's hand-overs: made whenever a block becomes final in whose state others judge than in the last one's, kept, and given to light clients.
 *
 * Invariants
 * - The votes that a hand-over is made of are durable (the draft) before its block is final here; the hand-over is durable before the block counts as settled. A crash in
 *   between is mended at start: the draft's block is then the root, whose state is at hand.
 * - Every hand-over kept follows from the one before. Where one is missing (history restored without them), nothing is made until peers have given what is missing.
 * - Hand-overs of peers are kept only when followed (hand-over-walk.ts), and when their blocks are not others than this node's.
 */
import { type Hash, type Kernels, sameBytes } from '../../../native/index.ts';
import { CorruptionError, type StateProof } from '../../../storage/index.ts';
import { type Certificate, decodeCertificate, encodeCertificate } from '../../codec/index.ts';
import {
  type ElectorateRecord,
  encodeHandOver,
  type HandOver,
  HandOverError,
  type KnownElectorate,
  knownBy,
  readElectorateRecord,
  readHandOver,
  recordOf,
  requireNext,
} from '../../ledger/index.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import type { Logger } from '../log.ts';
import type { HandOverStore } from './hand-over-store.ts';

export interface HandOverBookDeps {
  readonly kernels: Kernels;
  readonly chainId: Hash;
  readonly store: HandOverStore;
  /** Who judges by genesis. */
  readonly genesis: KnownElectorate;
  /** Proof of the electorate record in the state after the block that was made final last, whose header is given. */
  readonly prove: (header: Uint8Array) => StateProof;
  readonly log: Logger;
}

/** The final block to be handed over at, with what shows it final. */
type Due = Pick<ChainBlock, 'header' | 'electorate'>;

export class HandOverBook {
  readonly #deps: HandOverBookDeps;
  #known: KnownElectorate;
  #isGapped = false;
  /** Of an electorate that cannot be handed over to: it is not tried at every block. */
  #unshownEpoch: number | undefined;
  /** One change at a time. */
  #work: Promise<unknown> = Promise.resolve();

  /** Throws `CorruptionError` when the newest hand-over is not what was written. */
  constructor(deps: HandOverBookDeps) {
    this.#deps = deps;
    this.#known = this.#lastKnown();
  }

  /** The newest electorate that has been handed over. */
  get known(): KnownElectorate {
    return this.#known;
  }

  /** Hand-overs are missing, which only peers can give. */
  get isGapped(): boolean {
    return this.#isGapped;
  }

  /** Nothing has been handed over yet, as far as is kept here. */
  get isAtGenesis(): boolean {
    return this.#known === this.#deps.genesis;
  }

  /** Forgets every hand-over: they are not of this chain. */
  async restart(): Promise<void> {
    await this.#exclusive(async () => {
      await this.#deps.store.clear();
      this.#known = this.#deps.genesis;
    });
  }

  /** Kept hand-overs of an epoch on. */
  from(epoch: number, countMax: number): Iterable<Uint8Array> {
    return this.#deps.store.from(epoch, countMax);
  }

  /** Before a block's finality becomes durable: keeps what a hand-over at it would be made of, if one is due. */
  async prepare({ header, state }: ChainBlock, certificate: Certificate): Promise<void> {
    const { epoch } = readElectorateRecord(state);
    if (epoch <= this.#known.electorate.epoch || epoch === this.#unshownEpoch || this.#isGapped) return;
    await this.#deps.store.putDraft({ header: header.bytes, certificate: encodeCertificate(certificate) });
  }

  /** After the block's state is durable: makes the hand-over that was prepared. */
  async settle(block: Due): Promise<void> {
    await this.#exclusive(async () => {
      const { store, kernels } = this.#deps;
      const { draft } = store;
      if (draft === undefined) return;
      // What was drafted never became final here: it will be again, with another draft.
      if (!sameBytes(draft.header, block.header.bytes)) return store.dropDraft();
      await this.#make(block, decodeCertificate(kernels, draft.certificate));
    });
  }

  /** At start, on the root: makes what a crash has cut off, and sees whether something is missing. */
  async open(root: ChainBlock): Promise<void> {
    await this.settle(root);
    const record = readElectorateRecord(root.state);
    if (this.#contradicts(record, root.header.height)) {
      this.#deps.log.warn('the hand-overs kept are not those of this chain: forgotten');
      await this.restart();
    }
    this.#isGapped = record.era > this.#known.electorate.era + 1;
    if (this.#isGapped)
      this.#deps.log.warn('hand-overs are missing here: light clients cannot be served until peers give them');
  }

  /** A state that somebody trusted was synced beside hand-overs that lead elsewhere: the state is right. */
  #contradicts(record: ElectorateRecord, height: number): boolean {
    const { electorate, block } = this.#known;
    if (block.height > height || electorate.epoch < record.epoch) return false;
    return (
      electorate.epoch > record.epoch || !sameBytes(recordOf(this.#deps.kernels, electorate).digest, record.digest)
    );
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#work;
  }

  /** Keeps a hand-over of a peer's that was followed. @param ownHash of this node's final block of a height, where it is kept */
  async adopt(handOver: HandOver, ownHash: (height: number) => Uint8Array | undefined): Promise<void> {
    await this.#exclusive(async () => {
      requireNext(this.#known, handOver);
      const own = ownHash(handOver.header.height);
      if (own !== undefined && !sameBytes(own, handOver.header.hash))
        throw new HandOverError('chain', `block ${handOver.header.height} is not the final one here`);
      await this.#keep(handOver);
    });
  }

  /** Whether peers have given all that was missing. @param era of this node's newest final state */
  noteEra(era: number): void {
    this.#isGapped = era > this.#known.electorate.era + 1;
  }

  async #make({ header, electorate }: Due, certificate: Certificate): Promise<void> {
    const { kernels, chainId, store, prove, log } = this.#deps;
    const { members } = electorate;
    const handOver = readHandOver(
      kernels,
      chainId,
      encodeHandOver({ certificate, proof: prove(header.bytes), members }),
    );
    try {
      requireNext(this.#known, handOver);
    } catch (error) {
      if (!(error instanceof HandOverError)) throw error;
      await store.dropDraft();
      if (error.code === 'replayed') return;
      this.#isGapped ||= error.code === 'skipped';
      this.#unshownEpoch = handOver.electorate.epoch;
      log.warn({ epoch: handOver.electorate.epoch, error: error.message }, 'light clients cannot follow from here');
      return;
    }
    await this.#keep(handOver);
    const { epoch, era } = handOver.electorate;
    log.info({ epoch, era, height: header.height, members: members.length }, 'handed over');
  }

  async #keep(handOver: HandOver): Promise<void> {
    await this.#deps.store.append(handOver.electorate.epoch, handOver.bytes);
    this.#known = knownBy(handOver);
  }

  #lastKnown(): KnownElectorate {
    const { store, kernels, chainId, genesis } = this.#deps;
    const last = store.last;
    return last === undefined ? genesis : knownBy(keptHandOver(kernels, chainId, last));
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#work.then(work);
    this.#work = done.catch(() => {});
    return done;
  }
}

/** A hand-over that was checked when it was kept. @throws CorruptionError */
export function keptHandOver(kernels: Kernels, chainId: Hash, bytes: Uint8Array): HandOver {
  try {
    return readHandOver(kernels, chainId, bytes);
  } catch (error) {
    if (!(error instanceof HandOverError)) throw error;
    throw new CorruptionError('hand-over', 0, 'a hand-over of this chain', error.message);
  }
}
