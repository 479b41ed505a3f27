/**
 * Turns a file of Ethereum transfers into a workload.
 *
 * Rules (the same ones stand, written again without this code, in recompute.ts)
 * - Money: value in wei becomes whole gwei, rounded down.
 * - Skipped and counted, each on its own: rows of zero wei; rows of 1 .. 999,999,999 wei, which are zero in gwei; rows of value that create a
 *   contract (no recipient: the address the contract got is not in the file, so there is no account to pay). A creation of zero value counts as a
 *   zero-value row.
 * - Keys: Ed25519 seed = SHA-256('cairn/ethereum-key/1' || the 20 bytes of the Ethereum address). Anybody can derive them: they are for replays only.
 * - Genesis gives each sender everything the file makes it send, plus fees, and counts nothing it receives on the way. That is more than the
 *   least possible, and makes every transfer affordable in whatever order blocks take them, so that a retried packet cannot fail a later one.
 */
import { createHash } from 'node:crypto';
import { readEthereumRows, TransferFileError } from './ethereum-file.ts';
import type { WorkloadAccount, WorkloadPlan, WorkloadTransfer } from './plan.ts';

const KEY_TAG = 'cairn/ethereum-key/1';
const WEI_PER_GWEI = 1_000_000_000n;
const AMOUNT_MAX = 0xffff_ffff_ffff_ffffn;

/** What became of the file's rows; their sum is `rows`. */
export interface RowCounts {
  rows: number;
  transfers: number;
  zeroValue: number;
  belowOneGwei: number;
  contractCreations: number;
}

export interface EthereumPlan extends WorkloadPlan {
  readonly kind: 'ethereum';
  readonly file: string;
  readonly counts: Readonly<RowCounts>;
}

/** Seed of an Ethereum address's key. @param ethereumAddress `0x` and 40 lower-case hex digits */
export function ethereumSeed(ethereumAddress: string): Uint8Array {
  return createHash('sha256')
    .update(KEY_TAG)
    .update(Buffer.from(ethereumAddress.slice(2), 'hex'))
    .digest();
}

/**
 * Reads the whole file and plans its replay: about 100 bytes of memory a row.
 * @param fee fee of each transfer, gwei
 * @throws TransferFileError for a malformed row, an amount or a total that no account can hold, or a file without transfers
 */
export async function planEthereumReplay(file: string, fee: bigint): Promise<EthereumPlan> {
  const builder = new PlanBuilder(file, fee);
  for await (const row of readEthereumRows(file)) {
    const gwei = BigInt(row.valueWei) / WEI_PER_GWEI;
    builder.counts.rows += 1;
    if (BigInt(row.valueWei) === 0n) builder.counts.zeroValue += 1;
    else if (row.to === null) builder.counts.contractCreations += 1;
    else if (gwei === 0n) builder.counts.belowOneGwei += 1;
    else builder.add(row.line, row.from, row.to, gwei);
  }
  return builder.finish();
}

class PlanBuilder {
  readonly counts: RowCounts = { rows: 0, transfers: 0, zeroValue: 0, belowOneGwei: 0, contractCreations: 0 };
  readonly #file: string;
  readonly #fee: bigint;
  readonly #indexes = new Map<string, number>();
  readonly #funds: bigint[] = [];
  readonly #transfers: WorkloadTransfer[] = [];
  #supply = 0n;

  constructor(file: string, fee: bigint) {
    this.#file = file;
    this.#fee = fee;
  }

  add(line: number, from: string, to: string, amount: bigint): void {
    const cost = amount + this.#fee;
    this.#supply += cost;
    if (amount > AMOUNT_MAX || this.#supply > AMOUNT_MAX) {
      const reason = `with this row the file moves more than 2^64 - 1 gwei in all, which no ledger here can hold`;
      throw new TransferFileError('bad-row', this.#file, line, reason);
    }
    const sender = this.#index(from);
    const transfer = { from: sender, to: this.#index(to), amount };
    this.#funds[sender] = (this.#funds[sender] ?? 0n) + cost;
    this.#transfers.push(transfer);
    this.counts.transfers += 1;
  }

  finish(): EthereumPlan {
    if (this.#transfers.length === 0)
      throw new TransferFileError('bad-row', this.#file, 0, 'no row carries value: there is nothing to replay');
    const transfers = this.#transfers;
    return {
      kind: 'ethereum',
      file: this.#file,
      counts: this.counts,
      accounts: this.#accounts(),
      fee: this.#fee,
      transferCount: transfers.length,
      next: (index) => transfers[index] as WorkloadTransfer,
    };
  }

  #accounts(): WorkloadAccount[] {
    const funds = this.#funds;
    return [...this.#indexes].map(([name, index]) => ({ name, seed: ethereumSeed(name), genesis: funds[index] ?? 0n }));
  }

  #index(name: string): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    this.#indexes.set(name, this.#indexes.size);
    return this.#indexes.size - 1;
  }
}
