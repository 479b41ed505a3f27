/**
 * Everything a chain node keeps on disk, behind one face: state (op log and table), history, pending blocks, votes, hand-overs.
 *
 * Invariants
 * - A final block reaches the history first, then (its evictions) the eviction store, then the op log, then leaves the pending store. So on opening the history is at most a few blocks ahead of the
 *   state, never behind; what is ahead is executed again.
 * - A vote, and the slot of an own block, are on disk before the promise resolves; they bind this key for good (vote-files.ts).
 * - The state root after every executed block was compared with its header's.
 */
import type { Hash, Slot } from '../../../native/index.ts';
import {
  CorruptionError,
  encodeStateProof,
  PrunedError,
  type StateSource,
  type TransactionPlace,
} from '../../../storage/index.ts';
import {
  type Block,
  type BlockHeader,
  type Certificate,
  decodeHeader,
  decodeVote,
  encodeCertificate,
  HEADER_SIZE_BYTES,
  VOTE_SIZE_BYTES,
  type Vote,
} from '../../codec/index.ts';
import { ELECTORATE_KEY, genesisHeader } from '../../ledger/index.ts';
import type { EvictionStore } from '../evictions/eviction-store.ts';
import { HandOverBook } from '../hand-overs/hand-over-book.ts';
import { knownByGenesis } from '../hand-overs/hand-over-walk.ts';
import { KeptHistory } from '../history/kept-history.ts';
import { encodeVotes } from '../relay/block-source.ts';
import type { FinalityProof } from './certificate-store.ts';
import type { ChainBlock } from './chain-block.ts';
import { type ChainDirectory, type ChainDirectoryOptions, closeDirectory, openDirectory } from './chain-directory.ts';
import type { CheckDeps } from './check-block.ts';
import { requireDiskRoom } from './disk-room.ts';
import { openPending } from './open-pending.ts';
import { appendEvictions, genesisRoot, openRoot } from './open-root.ts';
import { OWN_VOTES_MAX } from './vote-files.ts';

/** What the disk held. */
export interface OpenedChain {
  readonly store: ChainStore;
  readonly root: ChainBlock;
  /** Blocks above the root that were verified before, parents first. */
  readonly pending: readonly Block[];
  /** Votes kept for the root and the pending blocks. */
  readonly keptVotes: readonly Vote[];
  readonly ownVotes: readonly Vote[];
  readonly highestProducedSlot: Slot | null;
  /** The files that bind a validator's key are not there. */
  readonly votesLost: boolean;
}

export class ChainStore {
  /** What of the final chain is still kept here. */
  readonly kept: KeptHistory;
  /** What light clients follow changes of validators by. */
  readonly handOvers: HandOverBook;
  readonly #kernels: CheckDeps['kernels'];
  readonly #parts: ChainDirectory;
  #ownVotes: Vote[] = [];

  private constructor({ check, genesis, log }: ChainDirectoryOptions, parts: ChainDirectory) {
    const { kernels, rules } = check;
    this.#kernels = kernels;
    this.#parts = parts;
    this.kept = new KeptHistory(kernels, parts);
    this.handOvers = new HandOverBook({
      kernels,
      chainId: rules.chainId,
      store: parts.handOvers,
      genesis: knownByGenesis(genesis, genesisHeader(kernels, genesis, genesisRoot(genesis, kernels))),
      prove: (header) => parts.state.prove('record', ELECTORATE_KEY, header)!,
      log,
    });
  }

  /** Opens or makes a node's directory. Throws `CorruptionError`, `StorageError`, `FilesError`. */
  static async open(options: ChainDirectoryOptions): Promise<OpenedChain> {
    const parts = await openDirectory(options);
    try {
      return await new ChainStore(options, parts).#open(options);
    } catch (error) {
      await closeDirectory(parts);
      throw error;
    }
  }

  async #open({ genesis, check, log }: ChainDirectoryOptions): Promise<OpenedChain> {
    const parts = this.#parts;
    const root = await openRoot(genesis, check, parts);
    await this.handOvers.open(root);
    this.#ownVotes = splitVotes(parts.votes.votes);
    const pending = await openPending(this.#kernels, parts.pending, root.header.height);
    log.info(
      { height: root.header.height, pending: pending.length, rebuilt: parts.state.openReport.rebuilt },
      'chain opened',
    );
    return {
      store: this,
      root,
      pending,
      keptVotes: [root.header.hash, ...pending.map(({ header }) => header.hash)].flatMap((hash) => this.#votesOf(hash)),
      ownVotes: this.#ownVotes,
      highestProducedSlot: parts.votes.producedSlot,
      votesLost: parts.votes.isAbsent,
    };
  }

  /** Height of the last block whose batch is in the op log. */
  get stateHeight(): number {
    return this.#parts.state.tip.height;
  }

  /** Every account's balance after the last block in the op log. */
  balances(): Iterable<bigint> {
    return this.#parts.state.balances();
  }

  /** Evictions of final blocks, and at most of the one that is being finalized. */
  get evictions(): EvictionStore {
    return this.#parts.evictions;
  }

  /** First block of the history kept here. */
  get startHeight(): number {
    return this.#parts.history.startHeight;
  }

  get segmentCount(): number {
    return this.#parts.history.cursor.segmentCount;
  }

  /** Makes a verified block durable. Throws `FilesError` 'no-space' before the disk is quite full. */
  async persistBlock({ header, bytes }: Block): Promise<void> {
    await requireDiskRoom(this.#parts.disk, this.#parts.directory);
    await this.#parts.pending.put({ hash: header.hash, height: header.height, slot: header.slot, bytes });
  }

  /** Makes an own block durable, and that its slot is used up. */
  async persistProduced(block: Block): Promise<void> {
    await Promise.all([this.#parts.votes.files.writeSlot(block.header.slot), this.persistBlock(block)]);
  }

  /** Makes durable that an own block's slot is used up, where the block itself is not kept: a decoy. */
  persistProducedSlot(slot: Slot): Promise<void> {
    return this.#parts.votes.files.writeSlot(slot);
  }

  /** Makes an own vote durable, beside the earlier ones that still matter. */
  async persistVote(vote: Vote): Promise<void> {
    this.#ownVotes = [...this.#ownVotes, vote].slice(-OWN_VOTES_MAX);
    await this.#parts.votes.files.writeVotes(encodeVotes(this.#ownVotes));
  }

  async persistCertificate(hash: Hash, votes: readonly Vote[]): Promise<void> {
    await requireDiskRoom(this.#parts.disk, this.#parts.directory);
    await this.#parts.certificates.putVotes(hash, encodeVotes(votes));
  }

  /** Makes a block part of history and state for good. */
  async finalize({ header, block, batch, commitment, evictions, transactionsTotal }: ChainBlock): Promise<void> {
    if (block === null || batch === null) throw new RangeError('the root cannot be finalized again');
    await requireDiskRoom(this.#parts.disk, this.#parts.directory);
    const { history, state, pending, certificates, evictions: kept } = this.#parts;
    const { height, slot, hash } = header;
    await history.append({ height, slot, hash, bytes: block.bytes, transactions: transactionKeys(block) });
    await appendEvictions(kept, evictions);
    await state.append(batch, commitment);
    await Promise.all([pending.delete(hash), certificates.putTotal(height, transactionsTotal)]);
    this.#ownVotes = this.#ownVotes.filter(({ targetSlot }, at, all) => targetSlot > slot || at === all.length - 1);
  }

  /**
   * Makes the last block of a stretch part of history and state for good, and shows light clients who judges from there on, if that has changed.
   * @param certificate what has made it final
   */
  async finalizeLast(block: ChainBlock, certificate: Certificate): Promise<void> {
    await this.handOvers.prepare(block, certificate);
    await this.finalize(block);
    await this.handOvers.settle(block);
  }

  /** Keeps the newest proof of finality. */
  async persistFinality(final: ChainBlock, certificate: Certificate): Promise<void> {
    const proof = { header: final.header.bytes, certificate: encodeCertificate(certificate) };
    await this.#parts.certificates.putFinality(final.header.height, proof);
  }

  /** Forgets blocks of lost branches. */
  async forget(hashes: readonly Hash[]): Promise<void> {
    await Promise.all([this.#parts.pending.delete(...hashes), this.#parts.certificates.forget(hashes)]);
  }

  finality(): FinalityProof | undefined {
    return this.#parts.certificates.finality;
  }

  /** Votes kept for a block, one after the other. */
  certificateVotes(hash: Uint8Array): Uint8Array {
    return this.#parts.certificates.votes(hash);
  }

  /** The certificate of a final block, encoded; undefined when its votes are not kept. */
  async certificate(height: number): Promise<Uint8Array | undefined> {
    const bytes = await this.finalBlock(height);
    if (bytes === undefined) return undefined;
    const header = decodeHeader(this.#kernels, bytes.slice(0, HEADER_SIZE_BYTES));
    const votes = this.#votesOf(header.hash);
    return votes.length === 0 ? undefined : encodeCertificate({ header, votes });
  }

  /** A final block's bytes; undefined when it is not kept here. Throws `CorruptionError` when the disk gives back others. */
  finalBlock(height: number): Promise<Uint8Array | undefined> {
    return keptOnly(this.#parts.history.readBlock(height));
  }

  heightOfHash(hash: Uint8Array): number | undefined {
    return this.#parts.history.heightOf(hash);
  }

  hashOfHeight(height: number): Hash | undefined {
    return this.#parts.history.block(height)?.hash;
  }

  /** Height of the final block of a slot, by bisection; undefined when the slot has none. */
  heightOfSlot(slot: number): number | undefined {
    const { history } = this.#parts;
    let [low, high] = [history.startHeight, history.tip?.height ?? 0];
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const found = history.block(middle)?.slot ?? 0;
      if (found === slot) return middle;
      if (found < slot) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /**
   * Proof of an account in the state after the last block in the op log; undefined when there is no such account.
   * @param final header of the newest final block, which that mostly is
   */
  async proveAccount(
    address: Uint8Array,
    final: BlockHeader,
  ): Promise<{ header: BlockHeader; bytes: Uint8Array } | undefined> {
    const { state } = this.#parts;
    for (;;) {
      const { height } = state.tip;
      const header = height === final.height ? final : await this.#headerOf(height);
      // The state may have moved on while the header was read.
      if (state.tip.height !== height) continue;
      const proof = state.prove('account', address, header.bytes);
      return proof === undefined ? undefined : { header, bytes: encodeStateProof(proof) };
    }
  }

  async #headerOf(height: number): Promise<BlockHeader> {
    const bytes = await this.finalBlock(height);
    if (bytes === undefined) throw new CorruptionError('history', height, `a block of height ${height}`, 'none');
    return decodeHeader(this.#kernels, bytes.slice(0, HEADER_SIZE_BYTES));
  }

  /** Where a final transaction stands. */
  transaction(id: Uint8Array): (TransactionPlace & { readonly slot: number }) | undefined {
    const { history } = this.#parts;
    const place = history.transaction(id);
    const block = place === undefined ? undefined : history.block(place.height);
    return place === undefined || block === undefined ? undefined : { ...place, slot: block.slot };
  }

  /** What fast syncs of others are served from. */
  get stateSource(): StateSource {
    return this.#parts.state;
  }

  segmentRoot(index: number): Hash {
    const root = this.#parts.history.segmentRoot(index);
    if (root === undefined) throw new RangeError(`segment ${index} is not complete`);
    return root;
  }

  /** A completed segment's bytes, as on disk, and its root; undefined when it is not kept here. */
  async segment(index: number): Promise<{ bytes: Uint8Array; root: Uint8Array } | undefined> {
    const reader = this.#parts.history.segment(index);
    const bytes = reader === undefined ? undefined : await keptOnly(reader.read(0, reader.sizeBytes));
    return reader === undefined || bytes === undefined ? undefined : { bytes, root: reader.root };
  }

  /** Bytes of a completed segment from `offset` on, as on disk: fewer than asked at its end; undefined when it is not kept here. */
  async segmentPiece(index: number, offset: number, sizeBytes: number): Promise<Uint8Array | undefined> {
    const reader = this.#parts.history.segment(index);
    if (reader === undefined || offset >= reader.sizeBytes) return undefined;
    return keptOnly(reader.read(offset, Math.min(sizeBytes, reader.sizeBytes - offset)));
  }

  async close(): Promise<void> {
    await this.handOvers.idle();
    await closeDirectory(this.#parts);
  }

  #votesOf(hash: Uint8Array): Vote[] {
    return splitVotes(this.certificateVotes(hash));
  }
}

/** What was pruned is like what never was: those who ask are told from where on there is something (`startHeight`). */
function keptOnly(reading: Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
  return reading.catch((error: unknown) => {
    if (error instanceof PrunedError) return undefined;
    throw error;
  });
}

function splitVotes(bytes: Uint8Array): Vote[] {
  return Array.from({ length: bytes.length / VOTE_SIZE_BYTES }, (_, index) =>
    decodeVote(bytes.slice(index * VOTE_SIZE_BYTES, (index + 1) * VOTE_SIZE_BYTES)),
  );
}

function transactionKeys({ entries }: Block): { id: Uint8Array; entry: number; index: number }[] {
  return entries.flatMap((item, entry) =>
    item.kind === 'transactions' ? item.transactions.map(({ id }, index) => ({ id, entry, index })) : [],
  );
}
