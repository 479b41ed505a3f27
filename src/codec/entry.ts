/**
 * Entries as a block holds them: the recorded points of the PoH sequence with what each mixed in.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | kind: 0 tick, 1 parent, 2 transactions, 3 votes |
 * | 1 | 8 | count |
 * | 9 | 32 | hash |
 * | 41 | 4 | kinds 2 and 3: number of items n, 1 or more |
 * | 45 | | the n transactions or votes, one after another (each tells its own length) |
 *
 * An entry's mixin is not stored: it follows from the content (entry-roots.ts).
 */
import { pohCount } from '../../native/index.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import type { Hasher } from './domain.ts';
import { readHash } from './fields.ts';
import { type Entry, EntryKind } from './model.ts';
import { readTransaction, TRANSACTION_OVERHEAD_SIZE_BYTES } from './transaction.ts';
import { readVote, VOTE_SIZE_BYTES } from './vote.ts';

/** Bytes of a tick or parent entry, and of the fixed part of the others before their item count. */
export const ENTRY_HEAD_SIZE_BYTES: number = 1 + 8 + 32;

/** The transactions or votes an entry holds; none for ticks and the parent entry. */
export function entryItems(entry: Entry): readonly { readonly bytes: Uint8Array }[] {
  switch (entry.kind) {
    case 'tick':
    case 'parent':
      return [];
    case 'transactions':
      return entry.transactions;
    case 'votes':
      return entry.votes;
  }
}

/** Bytes an entry takes in a block. */
export function entrySizeBytes(entry: Entry): number {
  if (entry.kind === 'tick' || entry.kind === 'parent') return ENTRY_HEAD_SIZE_BYTES;
  let sizeBytes = ENTRY_HEAD_SIZE_BYTES + 4;
  for (const item of entryItems(entry)) sizeBytes += item.bytes.length;
  return sizeBytes;
}

/** Writes an entry; its items' own bytes are copied as they are. @throws CodecError `count` for an empty batch */
export function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.u8(EntryKind[entry.kind], 'entry.kind');
  writer.u53(entry.count, 'entry.count');
  writer.put(entry.hash, 32, 'entry.hash');
  if (entry.kind === 'tick' || entry.kind === 'parent') return;
  const items = entryItems(entry);
  if (items.length === 0) throw new CodecError('count', 'entry.itemCount', 'must be at least 1, found 0');
  writer.u32(items.length, 'entry.itemCount');
  for (const item of items) writer.put(item.bytes, item.bytes.length, 'entry.item');
}

/** Reads the entry that starts here; items are views of the reader's bytes. @throws CodecError */
export function readEntry(hasher: Hasher, reader: ByteReader): Entry {
  const kind = reader.u8('entry.kind');
  const count = pohCount(reader.u53('entry.count'));
  const hash = readHash(reader, 'entry.hash');
  switch (kind) {
    case EntryKind.tick:
      return { kind: 'tick', count, hash };
    case EntryKind.parent:
      return { kind: 'parent', count, hash };
    case EntryKind.transactions: {
      const length = readItemCount(reader, TRANSACTION_OVERHEAD_SIZE_BYTES);
      return {
        kind: 'transactions',
        count,
        hash,
        transactions: readItems(length, () => readTransaction(hasher, reader)),
      };
    }
    case EntryKind.votes: {
      const length = readItemCount(reader, VOTE_SIZE_BYTES);
      return { kind: 'votes', count, hash, votes: readItems(length, () => readVote(reader)) };
    }
    default:
      throw new CodecError('kind', 'entry.kind', `must be within 0 .. 3, found ${kind}`);
  }
}

/** Refuses a number of items that the bytes left cannot hold, before anything is made for them. */
function readItemCount(reader: ByteReader, itemSizeBytesMin: number): number {
  const count = reader.u32('entry.itemCount');
  const countMax = Math.floor(reader.remaining / itemSizeBytesMin);
  if (count < 1 || count > countMax)
    throw new CodecError(
      'count',
      'entry.itemCount',
      `must be within 1 .. ${countMax} by the bytes left, found ${count}`,
    );
  return count;
}

function readItems<T>(count: number, read: () => T): T[] {
  const items: T[] = [];
  for (let index = 0; index < count; index++) items.push(read());
  return items;
}
