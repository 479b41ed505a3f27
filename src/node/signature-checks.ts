/**
 * Signatures checked once: a transaction that came by RPC or from a peer is not checked again when it comes back inside a block.
 *
 * Invariants
 * - An id leaves the signature out (docs/adr/0003), so "checked" is remembered for the exact signature bytes, never for the id alone.
 * - Only valid signatures are remembered; memory is bounded by two generations of `generationSize` each.
 */
import { byteKey, type Hash, type Kernels, sameBytes } from '../../native/index.ts';
import {
  packSignedMessages,
  packTransactionsForVerify,
  packVotesForVerify,
  type SignatureBatch,
  type SignedMessage,
  voteMessage,
} from '../codec/index.ts';
import type { Transaction, Vote } from '../codec/model.ts';
import type { Verifier } from './threads/verifier.ts';

/** Up to here a batch is checked on the calling thread: cheaper than crossing to a worker and back. */
const INLINE_COUNT_MAX = 2;

export class SignatureChecks {
  readonly #kernels: Kernels;
  readonly #chainId: Hash;
  readonly #verifier: Verifier;
  readonly #generationSize: number;
  #young = new Map<string, Uint8Array>();
  #old = new Map<string, Uint8Array>();

  /**
   * @param chainId the chain whose votes are valid: a vote's signature covers it
   * @param generationSize how many checked transactions to remember before the older half is forgotten
   */
  constructor(kernels: Kernels, chainId: Hash, verifier: Verifier, generationSize: number) {
    this.#kernels = kernels;
    this.#chainId = chainId;
    this.#verifier = verifier;
    this.#generationSize = generationSize;
  }

  /** Verdicts of transactions' signatures, in order; those known to be valid cost a look-up. */
  async transactions(transactions: readonly Transaction[]): Promise<boolean[]> {
    const verdicts = transactions.map((transaction) => this.#isKnown(transaction));
    const unknown = transactions.filter((_, index) => !verdicts[index]);
    if (unknown.length === 0) return verdicts;
    const checked = await this.#check(packTransactionsForVerify(unknown), unknown.length);
    let next = 0;
    for (let index = 0; index < verdicts.length; index += 1) {
      if (verdicts[index]) continue;
      verdicts[index] = checked[next] === 1;
      if (verdicts[index]) this.#remember(transactions[index]!);
      next += 1;
    }
    return verdicts;
  }

  /** Verdicts of votes' signatures, in order. */
  async votes(votes: readonly Vote[]): Promise<boolean[]> {
    if (votes.length === 0) return [];
    const checked = await this.#check(packVotesForVerify(this.#chainId, votes), votes.length);
    return Array.from(checked, (verdict) => verdict === 1);
  }

  /** One vote's signature, at once. */
  vote(vote: Vote): boolean {
    return this.single(vote.voter, vote.signature, voteMessage(this.#chainId, vote));
  }

  /** One signature over a short message, at once. */
  single(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean {
    const verdict = new Uint8Array(1);
    this.#kernels.ed25519Verify(publicKey, signature, message, Uint32Array.of(0, message.length), verdict);
    return verdict[0] === 1;
  }

  /** Signatures over short messages, in order, as one batch. */
  async many(signed: readonly SignedMessage[]): Promise<boolean[]> {
    if (signed.length === 0) return [];
    return Array.from(await this.#check(packSignedMessages(signed), signed.length), (verdict) => verdict === 1);
  }

  async #check(packed: SignatureBatch, count: number): Promise<Uint8Array> {
    if (count > INLINE_COUNT_MAX) return this.#verifier.ed25519Verify(packed);
    const verdicts = new Uint8Array(count);
    this.#kernels.ed25519Verify(packed.publicKeys, packed.signatures, packed.messages, packed.offsets, verdicts);
    return verdicts;
  }

  #isKnown(transaction: Transaction): boolean {
    const key = byteKey(transaction.id);
    const known = this.#young.get(key) ?? this.#old.get(key);
    return known !== undefined && sameBytes(known, transaction.signature);
  }

  #remember(transaction: Transaction): void {
    if (this.#young.size >= this.#generationSize) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(byteKey(transaction.id), transaction.signature);
  }
}
