/**
 * Transactions: head, payload, tail. A transfer is 176 bytes.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 20 | lastValidHash: first 20 bytes of a recent PoH hash of this chain |
 * | 20 | 8 | lastValidCount: its count |
 * | 28 | 1 | version = 1 |
 * | 29 | 1 | kind |
 * | 30 | 6 | flags u16 and reserved u32, zero |
 * | 36 | p | payload |
 * | 36 + p | 8 | counter |
 * | 44 + p | 8 | fee |
 * | 52 + p | 32 | from |
 * | 84 + p | 64 | signature, over everything before it |
 *
 * The id is SHA-256 of everything before the signature, so a second valid signature cannot give a transaction a second name.
 */
import { hash, pohCount, publicKey, signature } from '../../native/index.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import { beforeSignature, type Hasher, SIGNATURE_SIZE_BYTES } from './domain.ts';
import { readAmount } from './fields.ts';
import { SHORT_HASH_SIZE_BYTES, type Transaction, type TransactionDraft, TransactionKind } from './model.ts';
import { kindName, payloadSizeBytes, readPayload, writePayload } from './payload.ts';
import type { SigningKey } from './signing.ts';

/** Bytes of a transaction around its payload: the smallest (`unbond`, `withdraw`, `handOver`) have nothing else. */
export const TRANSACTION_OVERHEAD_SIZE_BYTES: number = 36 + 8 + 8 + 32 + SIGNATURE_SIZE_BYTES;
/** Largest transaction: `verdicts` with 64 of them. */
export const TRANSACTION_SIZE_BYTES_MAX: number = TRANSACTION_OVERHEAD_SIZE_BYTES + 4 + 32 * 64;

const VERSION = 1;

/** The fields of a signed transaction, without what follows from its bytes. */
export type TransactionFields = Omit<Transaction, 'bytes' | 'id'>;

/** Encodes a signed transaction's fields; says nothing about whether the signature is right. @throws CodecError */
export function encodeTransaction(fields: TransactionFields): Uint8Array {
  const writer = new ByteWriter(TRANSACTION_OVERHEAD_SIZE_BYTES + payloadSizeBytes(fields.payload));
  writer.put(fields.lastValidHash, SHORT_HASH_SIZE_BYTES, 'transaction.lastValidHash');
  writer.u53(fields.lastValidCount, 'transaction.lastValidCount');
  writer.u8(VERSION, 'transaction.version');
  writer.u8(TransactionKind[fields.payload.kind], 'transaction.kind');
  writer.zeros(6, 'transaction.flags');
  writePayload(writer, fields.payload);
  writer.u64(fields.counter, 'transaction.counter');
  writer.u64(fields.fee, 'transaction.fee');
  writer.put(fields.from, 32, 'transaction.from');
  writer.put(fields.signature, SIGNATURE_SIZE_BYTES, 'transaction.signature');
  return writer.done('transaction');
}

/** Signs a draft as `key`. @throws CodecError when a value does not fit its field */
export function signTransaction(hasher: Hasher, draft: TransactionDraft, key: SigningKey): Transaction {
  const unsigned = signature(new Uint8Array(SIGNATURE_SIZE_BYTES));
  const bytes = encodeTransaction({ ...draft, from: key.publicKey, signature: unsigned });
  bytes.set(key.sign(beforeSignature(bytes)), bytes.length - SIGNATURE_SIZE_BYTES);
  return decodeTransaction(hasher, bytes);
}

/**
 * Decodes exactly one transaction. Checks its form, not its signature.
 * @param bytes borrowed: the result's byte strings are views of it
 * @throws CodecError
 */
export function decodeTransaction(hasher: Hasher, bytes: Uint8Array): Transaction {
  if (bytes.length > TRANSACTION_SIZE_BYTES_MAX)
    throw new CodecError('size', 'transaction', `at most ${TRANSACTION_SIZE_BYTES_MAX} bytes, found ${bytes.length}`);
  const reader = new ByteReader(bytes);
  const transaction = readTransaction(hasher, reader);
  reader.end('transaction');
  return transaction;
}

/** Reads the transaction that starts here; its length follows from its kind. @throws CodecError */
export function readTransaction(hasher: Hasher, reader: ByteReader): Transaction {
  const start = reader.offset;
  const lastValidHash = reader.take(SHORT_HASH_SIZE_BYTES, 'transaction.lastValidHash');
  const lastValidCount = pohCount(reader.u53('transaction.lastValidCount'));
  const version = reader.u8('transaction.version');
  if (version !== VERSION)
    throw new CodecError('version', 'transaction.version', `must be ${VERSION}, found ${version}`);
  const kind = kindName(reader.u8('transaction.kind'));
  reader.zeros(2, 'transaction.flags');
  reader.zeros(4, 'transaction.reserved');
  const payload = readPayload(hasher, reader, kind);
  const counter = reader.u64('transaction.counter');
  const fee = readAmount(reader, 'transaction.fee');
  const from = publicKey(reader.take(32, 'transaction.from'));
  const id = hash(hasher.sha256(reader.since(start)));
  const signed = signature(reader.take(SIGNATURE_SIZE_BYTES, 'transaction.signature'));
  const bytes = reader.since(start);
  return { lastValidHash, lastValidCount, payload, counter, fee, from, signature: signed, bytes, id };
}

/** What a transaction's signature covers: all bytes before it (a view). */
export function signedBytes(transaction: Transaction): Uint8Array {
  return beforeSignature(transaction.bytes);
}
