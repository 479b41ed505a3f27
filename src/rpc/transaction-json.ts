/**
 * A transaction as JSON for people and tools. Its exact bytes are had with `encoding: "base64"`.
 */
import type { Offence, Payload, Transaction } from '../codec/model.ts';
import { addressOf } from '../codec/signing.ts';
import { encodeHex } from '../codec/text.ts';
import { addressText, amountText, hashText, toWire } from './wire.ts';

export interface TransactionJson {
  readonly id: string;
  readonly kind: string;
  /** Public key and address of the sender. */
  readonly from: string;
  readonly fromAddress: string;
  /** The fields of its kind; byte strings other than addresses, hashes and keys in hexadecimal. */
  readonly payload: object;
  readonly counter: string;
  readonly fee: string;
  /** First 20 bytes of the PoH hash it refers to, in hexadecimal. */
  readonly lastValidHash: string;
  readonly lastValidCount: number;
  readonly signature: string;
}

export function transactionJson(transaction: Transaction): TransactionJson {
  return {
    id: hashText(transaction.id),
    kind: transaction.payload.kind,
    from: toWire(transaction.from),
    fromAddress: addressText(addressOf(transaction.from)),
    payload: payloadJson(transaction.payload),
    counter: transaction.counter.toString(),
    fee: amountText(transaction.fee),
    lastValidHash: encodeHex(transaction.lastValidHash),
    lastValidCount: transaction.lastValidCount,
    signature: hashText(transaction.signature),
  };
}

function payloadJson(payload: Payload): object {
  if (payload.kind === 'timestamp') return { digest: encodeHex(payload.digest) };
  const { kind, ...fields } = payload;
  // A path can be as long as a hash.
  if (payload.kind === 'revive') return toWire({ ...fields, path: encodeHex(payload.path) });
  if (payload.kind === 'evidence') return offenceJson(payload.offence);
  if (payload.kind === 'revealDecoy') {
    const { slot, height, hash } = payload.header;
    return toWire({ slot, height, hash, secret: encodeHex(payload.secret) });
  }
  return toWire(hexed(fields)) as object;
}

/** Lengths that have a text form of their own (wire.ts). */
const TEXT_SIZES_BYTES: readonly number[] = [20, 32, 64];

/** The same with every other byte string (proofs, paths, bit sets) in hexadecimal, however deep it lies. */
function hexed(value: unknown): unknown {
  if (value instanceof Uint8Array) return TEXT_SIZES_BYTES.includes(value.length) ? value : encodeHex(value);
  if (Array.isArray(value)) return value.map(hexed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hexed(item)]));
}

/** What the offence is and whose; the signed packets in hexadecimal, so that anybody can check it. */
function offenceJson(offence: Offence): object {
  if (offence.kind === 'decoyVote') {
    const { secret, vote } = offence;
    return toWire({
      offence: offence.kind,
      culprit: vote.voter,
      secret: encodeHex(secret),
      vote: encodeHex(vote.bytes),
    });
  }
  const { kind, first, second } = offence;
  const culprit = offence.kind === 'doubleProposal' ? offence.first.leader : offence.first.voter;
  return toWire({ offence: kind, culprit, first: encodeHex(first.bytes), second: encodeHex(second.bytes) });
}
