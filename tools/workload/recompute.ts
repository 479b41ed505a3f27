/**
 * What every balance must be in the end, worked out a second time.
 *
 * Shares no code with the ledger, nor with the replay's plan: it reads the rows again, turns wei into gwei by cutting nine digits off the text, and keeps plain
 * sums. Nothing here knows blocks, keys or packets. A mistake would have to be made twice, in two ways, to go unseen.
 */
import { readEthereumRows } from './ethereum-file.ts';

/** One account's sums, all in the smallest unit (gwei for Ethereum). */
export interface AccountSums {
  /** Balance at genesis: everything the account sends, fees included. */
  genesis: bigint;
  /** Balance at the end. */
  final: bigint;
  /** Sum of what it sent, without fees. */
  sent: bigint;
  received: bigint;
  transfersSent: number;
  feesPaid: bigint;
}

/** Sums by account name. */
export type Recomputation = Map<string, AccountSums>;

const GWEI_DIGITS = 9;

/**
 * Recomputes all balances from the file alone: genesis funds each sender with what it sends and pays in fees, so its final balance is
 * what it received.
 * @param fee fee of each value-carrying row, gwei
 */
export async function recomputeFromFile(file: string, fee: bigint): Promise<Recomputation> {
  const sums: Recomputation = new Map();
  for await (const row of readEthereumRows(file)) {
    const gweiDigits = row.valueWei.slice(0, -GWEI_DIGITS).replace(/^0+/, '');
    if (gweiDigits === '' || row.to === null) continue;
    post(sums, row.from, row.to, BigInt(gweiDigits), fee);
  }
  for (const account of sums.values()) {
    account.genesis = account.sent + account.feesPaid;
    account.final = account.received;
  }
  return sums;
}

/**
 * Recomputes all balances from known opening balances and the transfers that became final, in any order.
 * @param opening every account's genesis balance by name @param transfers only those that became final @param fee of each
 */
export function recomputeFromTransfers(
  opening: Iterable<readonly [name: string, genesis: bigint]>,
  transfers: Iterable<readonly [from: string, to: string, amount: bigint]>,
  fee: bigint,
): Recomputation {
  const sums: Recomputation = new Map();
  for (const [name, genesis] of opening) entry(sums, name).genesis = genesis;
  for (const [from, to, amount] of transfers) post(sums, from, to, amount, fee);
  for (const account of sums.values())
    account.final = account.genesis + account.received - account.sent - account.feesPaid;
  return sums;
}

function post(sums: Recomputation, from: string, to: string, amount: bigint, fee: bigint): void {
  const sender = entry(sums, from);
  sender.sent += amount;
  sender.feesPaid += fee;
  sender.transfersSent += 1;
  entry(sums, to).received += amount;
}

function entry(sums: Recomputation, name: string): AccountSums {
  let account = sums.get(name);
  if (account === undefined) {
    account = { genesis: 0n, final: 0n, sent: 0n, received: 0n, transfersSent: 0, feesPaid: 0n };
    sums.set(name, account);
  }
  return account;
}
