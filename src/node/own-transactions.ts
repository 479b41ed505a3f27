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

  /** Signs a payload and queues it. */
  async send(payload: Payload): Promise<void> {
    const { kernels, key, minimumFee, finalHead, submit } = this.#deps;
    const { pohHash, pohCount } = finalHead();
    this.#counter += 1n;
    const draft = {
      lastValidHash: pohHash.slice(0, 20),
      lastValidCount: pohCount,
      payload,
      counter: this.#counter,
      fee: amount(minimumFee),
    };
    await submit(signTransaction(kernels, draft, key));
  }
}
