/**
 * The keys of a workload's accounts, and the signing of its transfers: plain Ed25519 by node:crypto, about 25,000 a second.
 * Private keys are made when first used; addresses of all accounts at once, because genesis needs them.
 */
import { type Address, amount, type Kernels, pohCount } from '../../native/index.ts';
import { encodeBase58, type SigningKey, signingKey, signTransaction } from '../../src/codec/index.ts';
import type { WorkloadPlan } from './plan.ts';
import type { TransferSigner } from './submissions.ts';

export class WorkloadKeys {
  readonly #keys: SigningKey[];

  constructor(plan: WorkloadPlan) {
    this.#keys = plan.accounts.map((account) => signingKey(account.seed));
  }

  address(account: number): Address {
    return this.#key(account).address;
  }

  /** A signer of the plan's transfers. */
  signer(hasher: Pick<Kernels, 'sha256'>, feeUnits: bigint): TransferSigner {
    const fee = amount(feeUnits);
    return (transfer, counter, reference) => {
      const payload = { kind: 'transfer', to: this.address(transfer.to), amount: amount(transfer.amount) } as const;
      const { lastValidHash, lastValidCount } = reference;
      const draft = { lastValidHash, lastValidCount: pohCount(lastValidCount), payload, counter, fee };
      const { id, bytes } = signTransaction(hasher, draft, this.#key(transfer.from));
      return { id: encodeBase58(id), bytes };
    };
  }

  #key(account: number): SigningKey {
    const key = this.#keys[account];
    if (key === undefined) throw new RangeError(`the workload has no account ${account}`);
    return key;
  }
}
