/**
 * Timestamp proofs: a digest existed before PoH count N of this chain, shown offline to anybody who trusts one block's hash.
 *
 * The chain of evidence: digest -> timestamp transaction -> (path) root the entry mixed in -> entry leaf -> (path) entries root -> header
 * -> block hash.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 8 | magic 'CAIRNTSP' |
 * | 8 | 4 | version = 1 |
 * | 12 | 1 | t: steps of the transaction's path, 0 .. 24 |
 * | 13 | 1 | e: steps of the entry's path, 0 .. 24 |
 * | 14 | 2 | zero |
 * | 16 | 4 | sides of the transaction's path: bit i = 1 when sibling i stands on the left; bits t and above zero |
 * | 20 | 4 | sides of the entry's path |
 * | 24 | 336 | header |
 * | 360 | 8 | the entry's count: N |
 * | 368 | 32 | the entry's PoH hash |
 * | 400 | 180 | the timestamp transaction |
 * | 580 | 32 t | siblings of the transaction's path |
 * | 580 + 32 t | 32 e | siblings of the entry's path |
 *
 * Invariant: changing any byte of a valid file makes it invalid (test/poh/timestamp.test.ts flips each).
 */
import { type Hash, hash, type Kernels, type PohCount, pohCount, sameBytes } from '../../native/index.ts';
import { leafHash } from '../../storage/commitment/merkle.ts';
import {
  type Block,
  type BlockHeader,
  ByteReader,
  ByteWriter,
  CodecError,
  decodeHeader,
  decodeTransaction,
  entryLeaf,
  entryLeafHashes,
  entryMixins,
  type Hasher,
  HEADER_SIZE_BYTES,
  headerSignature,
  itemLeafHashes,
  packSignedMessages,
  type RootKernels,
  type SignedMessage,
  TRANSACTION_OVERHEAD_SIZE_BYTES,
  type Transaction,
  transactionSignature,
} from '../codec/index.ts';
import { type MerklePath, merklePath, PATH_STEPS_MAX, pathRoot } from './merkle-path.ts';

const MAGIC: Uint8Array = new TextEncoder().encode('CAIRNTSP');
const VERSION = 1;
const TRANSACTION_SIZE_BYTES: number = TRANSACTION_OVERHEAD_SIZE_BYTES + 32;
const FIXED_SIZE_BYTES: number = 24 + HEADER_SIZE_BYTES + 8 + 32 + TRANSACTION_SIZE_BYTES;

export interface TimestampProof {
  readonly header: BlockHeader;
  /** The entry whose count is the time proven. */
  readonly entryCount: PohCount;
  readonly entryHash: Hash;
  readonly transaction: Transaction;
  readonly transactionPath: MerklePath;
  readonly entryPath: MerklePath;
}

/** Why a well-formed proof proves nothing. */
export type TimestampFault =
  | 'block-hash'
  | 'not-a-timestamp'
  | 'digest'
  | 'entries-root'
  | 'header-signature'
  | 'transaction-signature';

export type TimestampResult =
  | {
      readonly ok: true;
      /** The digest existed before this count was reached. */
      readonly count: PohCount;
      readonly header: BlockHeader;
      readonly transaction: Transaction;
    }
  | { readonly ok: false; readonly fault: TimestampFault };

/**
 * Makes the proof of a timestamp transaction of a block.
 * @param id the transaction's id @returns undefined when the block holds no timestamp transaction of that id
 */
export function buildTimestampProof(kernels: RootKernels, block: Block, id: Hash): TimestampProof | undefined {
  for (const [entryIndex, entry] of block.entries.entries()) {
    if (entry.kind !== 'transactions') continue;
    const index = entry.transactions.findIndex((transaction) => sameBytes(transaction.id, id));
    const transaction = entry.transactions[index];
    if (transaction === undefined) continue;
    if (transaction.payload.kind !== 'timestamp') return undefined;
    const mixins = entryMixins(kernels, block.entries, block.header.parentHash);
    return {
      header: block.header,
      entryCount: entry.count,
      entryHash: entry.hash,
      transaction,
      transactionPath: merklePath(kernels, itemLeafHashes(kernels, entry.transactions), index),
      entryPath: merklePath(kernels, entryLeafHashes(kernels, block.entries, mixins), entryIndex),
    };
  }
  return undefined;
}

/**
 * Checks a proof offline.
 * @param blockHash the hash the caller trusts @param digest what is claimed to have existed, 32 bytes
 */
export function verifyTimestamp(
  kernels: RootKernels & Pick<Kernels, 'ed25519Verify'>,
  proof: TimestampProof,
  blockHash: Hash,
  digest: Uint8Array,
): TimestampResult {
  const refused = (fault: TimestampFault): TimestampResult => ({ ok: false, fault });
  const { header, transaction } = proof;
  if (!sameBytes(header.hash, blockHash)) return refused('block-hash');
  if (transaction.payload.kind !== 'timestamp') return refused('not-a-timestamp');
  if (!sameBytes(transaction.payload.digest, digest)) return refused('digest');
  const mixin = pathRoot(kernels, leafHash(kernels, transaction.bytes), proof.transactionPath);
  const leaf = entryLeaf({ kind: 'transactions', count: proof.entryCount, hash: proof.entryHash }, mixin);
  const root = pathRoot(kernels, leafHash(kernels, leaf), proof.entryPath);
  if (!sameBytes(root, header.entriesRoot)) return refused('entries-root');
  if (!signatureHolds(kernels, headerSignature(header))) return refused('header-signature');
  if (!signatureHolds(kernels, transactionSignature(transaction))) return refused('transaction-signature');
  return { ok: true, count: proof.entryCount, header, transaction };
}

/** The file's bytes. @throws CodecError when a path is too long */
export function encodeTimestampProof(proof: TimestampProof): Uint8Array {
  const { transactionPath, entryPath } = proof;
  const pathsSizeBytes = transactionPath.siblings.length + entryPath.siblings.length;
  const writer = new ByteWriter(FIXED_SIZE_BYTES + pathsSizeBytes);
  writer.put(MAGIC, 8, 'timestamp.magic');
  writer.u32(VERSION, 'timestamp.version');
  writer.u8(checkedSteps(transactionPath.siblings.length / 32), 'timestamp.transactionSteps');
  writer.u8(checkedSteps(entryPath.siblings.length / 32), 'timestamp.entrySteps');
  writer.zeros(2, 'timestamp.reserved');
  writer.u32(transactionPath.sides, 'timestamp.transactionSides');
  writer.u32(entryPath.sides, 'timestamp.entrySides');
  writer.put(proof.header.bytes, HEADER_SIZE_BYTES, 'timestamp.header');
  writer.u53(proof.entryCount, 'timestamp.entryCount');
  writer.put(proof.entryHash, 32, 'timestamp.entryHash');
  writer.put(proof.transaction.bytes, TRANSACTION_SIZE_BYTES, 'timestamp.transaction');
  writer.put(transactionPath.siblings, transactionPath.siblings.length, 'timestamp.transactionPath');
  writer.put(entryPath.siblings, entryPath.siblings.length, 'timestamp.entryPath');
  return writer.done('timestamp');
}

/** Reads a proof file; checks its form only. @throws CodecError */
export function decodeTimestampProof(hasher: Hasher, bytes: Uint8Array): TimestampProof {
  const reader = new ByteReader(bytes);
  if (!sameBytes(reader.take(8, 'timestamp.magic'), MAGIC))
    throw new CodecError('magic', 'timestamp.magic', 'is not a Cairn timestamp proof');
  const version = reader.u32('timestamp.version');
  if (version !== VERSION) throw new CodecError('version', 'timestamp.version', `must be ${VERSION}, found ${version}`);
  const transactionSteps = checkedSteps(reader.u8('timestamp.transactionSteps'));
  const entrySteps = checkedSteps(reader.u8('timestamp.entrySteps'));
  reader.zeros(2, 'timestamp.reserved');
  const transactionSides = readSides(reader, transactionSteps, 'timestamp.transactionSides');
  const entrySides = readSides(reader, entrySteps, 'timestamp.entrySides');
  const header = decodeHeader(hasher, reader.take(HEADER_SIZE_BYTES, 'timestamp.header'));
  const entryCount = pohCount(reader.u53('timestamp.entryCount'));
  const entryHash = hash(reader.take(32, 'timestamp.entryHash'));
  const transaction = decodeTransaction(hasher, reader.take(TRANSACTION_SIZE_BYTES, 'timestamp.transaction'));
  if (transaction.payload.kind !== 'timestamp')
    throw new CodecError('kind', 'timestamp.transaction', `must be a timestamp, found a ${transaction.payload.kind}`);
  const transactionPath = {
    siblings: reader.take(transactionSteps * 32, 'timestamp.transactionPath'),
    sides: transactionSides,
  };
  const entryPath = { siblings: reader.take(entrySteps * 32, 'timestamp.entryPath'), sides: entrySides };
  reader.end('timestamp');
  return { header, entryCount, entryHash, transaction, transactionPath, entryPath };
}

function checkedSteps(steps: number): number {
  if (steps > PATH_STEPS_MAX)
    throw new CodecError('count', 'timestamp.steps', `a path has at most ${PATH_STEPS_MAX} steps, found ${steps}`);
  return steps;
}

function readSides(reader: ByteReader, steps: number, field: string): number {
  const sides = reader.u32(field);
  if (sides >= 2 ** steps) throw new CodecError('reserved', field, `bits past the path's ${steps} steps must be zero`);
  return sides;
}

function signatureHolds(kernels: Pick<Kernels, 'ed25519Verify'>, item: SignedMessage): boolean {
  const { publicKeys, signatures, messages, offsets } = packSignedMessages([item]);
  const verdicts = new Uint8Array(1);
  kernels.ed25519Verify(publicKeys, signatures, messages, offsets, verdicts);
  return verdicts[0] === 1;
}
