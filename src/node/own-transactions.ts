/** A validator's own transactions: signed over the final head, each with a counter of its own, and queued like anybody's. */
import { amount, type Kernels } from '../../native/index.ts';
import { type BlockHeader, type Payload, type SigningKey, signTransaction, type Transaction } from '../codec/index.ts';

export interface OwnTransactionsDeps {
  readonly kernels: Kernels;
  readonly key: SigningKey;
  readonly minimumFee: bigint;
  /** First value of the counters; later ones count up. Above any of an earlier run: a counter makes the id. */
  readonly counterStart: bigint;
  readonly finalHead: () => BlockHeader;
  readonly submit: (transaction: Transaction) => Promise<void>;
}

export class OwnTransactions {
  readonly #deps: OwnTransactionsDeps;
  #counter: bigint;

  constructor(deps: OwnTransactionsDeps) {
    this.#deps = deps;
    this.#counter = deps.counterStart;
  }

  /** Signs a payload and queues it. @param fee the least unless given */
  async send(payload: Payload, fee: bigint = this.#deps.minimumFee): Promise<void> {
    await this.#deps.submit(this.sign(payload, fee));
  }

  /** Signs a payload. */
  sign(payload: Payload, fee: bigint = this.#deps.minimumFee): Transaction {
    const { kernels, key, finalHead } = this.#deps;
    const { pohHash, pohCount } = finalHead();
    this.#counter += 1n;
    const draft = {
      lastValidHash: pohHash.slice(0, 20),
      lastValidCount: pohCount,
      payload,
      counter: this.#counter,
      fee: amount(fee),
    };
    return signTransaction(kernels, draft, key);
  }
}

/**
 * The block that an own transaction refers to: the final one, which no branch is without; while nothing becomes final that one grows too old for any block to take the transaction, and it is the best one.
 * @param recencyWindowSlots after so many slots a reference is too old
 */
export function headToReferTo<T extends { readonly slot: number }>(final: T, best: T, recencyWindowSlots: number): T {
  return 2 * (best.slot - final.slot) < recencyWindowSlots ? final : best;
}
