/**
 * What entries commit to: each entry's mixin, and the root over all entries that a header carries.
 *
 * - mixin of a parent entry: the parent block's hash; of transactions and votes: RFC 9162 root over the items' exact bytes; a tick has none.
 * - leaf of an entry: count u64 || hash 32 || kind u8 || mixin 32 (zero for a tick), 73 bytes; entries root: RFC 9162 root over them.
 */
import { type Hash, type Kernels, ZERO_HASH } from '../../native/index.ts';
import { LEAF_PREFIX, merkleRoot } from '../../storage/commitment/merkle.ts';
import { ByteWriter } from './byte-writer.ts';
import { entryItems } from './entry.ts';
import { type Entry, EntryKind } from './model.ts';

/** What the roots are computed with. */
export type RootKernels = Pick<Kernels, 'sha256' | 'sha256Pairs' | 'sha256Leaves' | 'sha256Ragged'>;

/** Bytes of an entry's leaf data. */
export const ENTRY_LEAF_SIZE_BYTES: number = 8 + 32 + 1 + 32;

/** Where the bytes of a few items are put together to be hashed: hashing keeps nothing of them. */
const ROOM = new Uint8Array(new ArrayBuffer(8192));

/** Leaf hashes (packed, n * 32 bytes) of items by their exact bytes. */
export function itemLeafHashes(kernels: RootKernels, items: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
  const offsets = new Uint32Array(items.length + 1);
  items.forEach((item, index) => {
    offsets[index + 1] = offsets[index]! + item.bytes.length;
  });
  const sizeBytes = offsets[items.length]!;
  const data = sizeBytes <= ROOM.length ? ROOM.subarray(0, sizeBytes) : new Uint8Array(sizeBytes);
  items.forEach((item, index) => {
    data.set(item.bytes, offsets[index]!);
  });
  const leafHashes = new Uint8Array(items.length * 32);
  kernels.sha256Ragged(LEAF_PREFIX, data, offsets, leafHashes);
  return leafHashes;
}

/** What a batch of transactions or votes mixes into PoH: RFC 9162 root over their exact bytes. */
export function itemsRoot(kernels: RootKernels, items: readonly { readonly bytes: Uint8Array }[]): Hash {
  return merkleRoot(kernels, itemLeafHashes(kernels, items));
}

/** An entry's mixin; zero for a tick, which has none. @param parentHash hash of the block's parent */
export function entryMixin(kernels: RootKernels, entry: Entry, parentHash: Hash): Hash {
  switch (entry.kind) {
    case 'tick':
      return ZERO_HASH;
    case 'parent':
      return parentHash;
    case 'transactions':
    case 'votes':
      return itemsRoot(kernels, entryItems(entry));
  }
}

/** All mixins of a block's entries, packed, n * 32 bytes. Worth keeping: the entries root and the PoH check both want them. */
export function entryMixins(kernels: RootKernels, entries: readonly Entry[], parentHash: Hash): Uint8Array {
  const mixins = new Uint8Array(entries.length * 32);
  entries.forEach((entry, index) => {
    mixins.set(entryMixin(kernels, entry, parentHash), index * 32);
  });
  return mixins;
}

/** Data of one entry's leaf, 73 bytes. @param mixin 32 bytes, zero for a tick */
export function entryLeaf(entry: Pick<Entry, 'kind' | 'count' | 'hash'>, mixin: Uint8Array): Uint8Array {
  const writer = new ByteWriter(ENTRY_LEAF_SIZE_BYTES);
  writeLeaf(writer, entry, mixin);
  return writer.done('entry.leaf');
}

function writeLeaf(writer: ByteWriter, entry: Pick<Entry, 'kind' | 'count' | 'hash'>, mixin: Uint8Array): void {
  writer.u53(entry.count, 'entry.count');
  writer.put(entry.hash, 32, 'entry.hash');
  writer.u8(EntryKind[entry.kind], 'entry.kind');
  writer.put(mixin, 32, 'entry.mixin');
}

/** Leaf hashes of a block's entries, packed, n * 32 bytes. @param mixins from `entryMixins` */
export function entryLeafHashes(kernels: RootKernels, entries: readonly Entry[], mixins: Uint8Array): Uint8Array {
  const writer = new ByteWriter(entries.length * ENTRY_LEAF_SIZE_BYTES);
  entries.forEach((entry, index) => {
    writeLeaf(writer, entry, mixins.subarray(index * 32, index * 32 + 32));
  });
  const leaves = writer.done('entry.leaves');
  const leafHashes = new Uint8Array(entries.length * 32);
  kernels.sha256Leaves(LEAF_PREFIX, leaves, ENTRY_LEAF_SIZE_BYTES, leafHashes);
  return leafHashes;
}

/** The entries root a header carries. @param mixins packed, from `entryMixins` */
export function entriesRoot(kernels: RootKernels, entries: readonly Entry[], mixins: Uint8Array): Hash {
  return merkleRoot(kernels, entryLeafHashes(kernels, entries, mixins));
}
