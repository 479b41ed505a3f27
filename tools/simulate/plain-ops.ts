/** What the transactions of a final block do to validators, in the words of the plain rules. */
import { byteKey, type PublicKey } from '../../native/index.ts';
import { addressOf, type Offence, type Transaction } from '../../src/codec/index.ts';
import type { PlainOp } from './plain-rules/model.ts';

/** Whose offence it is. */
export function culpritKey(offence: Offence): PublicKey {
  if (offence.kind === 'decoyVote') return offence.vote.voter;
  return offence.kind === 'doubleProposal' ? offence.first.leader : offence.first.voter;
}

/** In the order of the block. @param leader of the block */
export function plainOps(transactions: readonly Transaction[], leader: PublicKey): PlainOp[] {
  return transactions.flatMap((transaction) => plainOp(transaction, leader) ?? []);
}

function plainOp({ payload, from }: Transaction, leader: PublicKey): PlainOp | null {
  const name = byteKey(from);
  switch (payload.kind) {
    case 'bond':
      if (payload.amount === 0n) return { kind: 'return', name };
      return { kind: 'bond', name, order: byteKey(addressOf(from)), weight: payload.amount };
    case 'unbond':
    case 'withdraw':
      return { kind: payload.kind, name };
    case 'evidence':
      return { kind: 'slash', name: byteKey(culpritKey(payload.offence)) };
    case 'nominate':
      return { kind: 'nominate', by: name, name: byteKey(payload.secondary), deadlineSlot: payload.deadlineSlot };
    case 'approve':
      return { kind: 'approve', by: name };
    case 'handOver':
      return byteKey(leader) === name ? { kind: 'handOver' } : null;
    default:
      return null;
  }
}
