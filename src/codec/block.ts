/**
 * Blocks: header (336 bytes), entry count u32, entries.
 *
 * Invariants
 * - Every maximum is checked before anything is made for the items: bytes first, then entries, then each entry's items.
 * - The header's transaction count equals the entries' transactions. Roots, PoH and signatures are checked elsewhere
 *   (entry-roots.ts, src/poh/verify.ts, the kernels).
 */
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import type { Hasher } from './domain.ts';
import { ENTRY_HEAD_SIZE_BYTES, entrySizeBytes, readEntry, writeEntry } from './entry.ts';
import { HEADER_SIZE_BYTES, readHeader } from './header.ts';
import type { Block, BlockHeader, Entry, Transaction, Vote } from './model.ts';

/** Largest block. */
export const BLOCK_SIZE_BYTES_MAX: number = 8 * 1024 * 1024;
/** Most entries in a block: 10 ticks a slot leave room for more than 6,000 skipped slots. */
export const BLOCK_ENTRIES_MAX = 65_536;
/** Bytes of a block before its first entry. */
export const BLOCK_HEAD_SIZE_BYTES: number = HEADER_SIZE_BYTES + 4;

/** Bytes a block with these entries takes: what a leader watches while it fills a slot. */
export function blockSizeBytes(entries: readonly Entry[]): number {
  return entries.reduce((sizeBytes, entry) => sizeBytes + entrySizeBytes(entry), BLOCK_HEAD_SIZE_BYTES);
}

/** Encodes a block from its signed header and its entries. @throws CodecError `size`, `count` or `mismatch` */
export function encodeBlock(header: BlockHeader, entries: readonly Entry[]): Uint8Array {
  const sizeBytes = blockSizeBytes(entries);
  checkSize(sizeBytes);
  checkEntryCount(entries.length);
  checkTransactionCount(header, entries);
  const writer = new ByteWriter(sizeBytes);
  writer.put(header.bytes, HEADER_SIZE_BYTES, 'block.header');
  writer.u32(entries.length, 'block.entryCount');
  for (const entry of entries) writeEntry(writer, entry);
  return writer.done('block');
}

/** Encodes a block and keeps its parts beside the bytes. @throws CodecError */
export function assembleBlock(header: BlockHeader, entries: readonly Entry[]): Block {
  return { header, entries, bytes: encodeBlock(header, entries) };
}

/**
 * Decodes exactly one block.
 * @param bytes borrowed: the result's byte strings are views of it, so it must not change while the block lives
 * @throws CodecError
 */
export function decodeBlock(hasher: Hasher, bytes: Uint8Array): Block {
  checkSize(bytes.length);
  const reader = new ByteReader(bytes);
  const header = readHeader(hasher, reader);
  const entryCount = checkEntryCount(reader.u32('block.entryCount'));
  if (entryCount * ENTRY_HEAD_SIZE_BYTES > reader.remaining)
    throw new CodecError(
      'truncated',
      'block.entryCount',
      `${entryCount} entries cannot fit in ${reader.remaining} bytes`,
    );
  const entries: Entry[] = [];
  for (let index = 0; index < entryCount; index++) entries.push(readEntry(hasher, reader));
  reader.end('block');
  checkTransactionCount(header, entries);
  return { header, entries, bytes };
}

/** All transactions of a block's entries, in order. */
export function blockTransactions(entries: readonly Entry[]): Transaction[] {
  return entries.flatMap((entry) => (entry.kind === 'transactions' ? entry.transactions : []));
}

/** All votes of a block's entries, in order. */
export function blockVotes(entries: readonly Entry[]): Vote[] {
  return entries.flatMap((entry) => (entry.kind === 'votes' ? entry.votes : []));
}

/** How many transactions the entries hold: the header's `transactionCount`. */
export function countTransactions(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + (entry.kind === 'transactions' ? entry.transactions.length : 0), 0);
}

function checkSize(sizeBytes: number): void {
  if (sizeBytes > BLOCK_SIZE_BYTES_MAX)
    throw new CodecError('size', 'block', `at most ${BLOCK_SIZE_BYTES_MAX} bytes, found ${sizeBytes}`);
}

function checkEntryCount(count: number): number {
  if (count < 1 || count > BLOCK_ENTRIES_MAX)
    throw new CodecError('count', 'block.entryCount', `must be within 1 .. ${BLOCK_ENTRIES_MAX}, found ${count}`);
  return count;
}

function checkTransactionCount(header: BlockHeader, entries: readonly Entry[]): void {
  const found = countTransactions(entries);
  if (header.transactionCount !== found)
    throw new CodecError(
      'mismatch',
      'header.transactionCount',
      `says ${header.transactionCount}, the entries hold ${found}`,
    );
}
