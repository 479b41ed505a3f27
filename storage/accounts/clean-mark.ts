/**
 * The clean mark: a small file that is there only while the table on disk equals the op log at a known point.
 *
 *   offset  bytes  field
 *   0       8      magic 'CAIRNTBL'
 *   8       4      format version u32 = 1
 *   12      4      number of shards u32 = n, a power of two up to 256
 *   16      32     the op log's chain that the table equals
 *   48      4      slot size u32, bytes: 32 for accounts, 64 for bonds
 *   52      4      zero
 *   56      16 n   for each shard: slot count as a power of two u32, entries u32, deleted slots u32, CRC-32C of its image u32
 *   56+16n  4      CRC-32C of all before
 *
 * Invariant: written only after every image is synced; removed, durably, when the table is opened. Absent or unreadable means dirty:
 * rebuild.
 */
import { dirname } from 'node:path';
import { type Kernels, sameBytes } from '../../native/index.ts';
import { type Files, readWhole, writeWhole } from '../files/files.ts';
import { type ShardShape, slotCountLog2Range } from './slot-memory.ts';

const MAGIC: Uint8Array = new TextEncoder().encode('CAIRNTBL');
const VERSION = 1;
const HEAD_SIZE_BYTES = 56;
const SHARD_SIZE_BYTES = 16;
export const SHARDS_MAX = 256;

export interface ShardMark extends ShardShape {
  /** CRC-32C of the image. */
  readonly crc: number;
}

export interface CleanMark {
  /** 32 bytes. */
  readonly chain: Uint8Array;
  readonly slotSizeBytes: 32 | 64;
  readonly shards: readonly ShardMark[];
}

/** Writes the mark, durable with its name when resolved. */
export async function writeMark(
  files: Files,
  kernels: Pick<Kernels, 'crc32c'>,
  path: string,
  mark: CleanMark,
): Promise<void> {
  const end = HEAD_SIZE_BYTES + SHARD_SIZE_BYTES * mark.shards.length;
  const bytes = new Uint8Array(end + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, mark.shards.length, true);
  bytes.set(mark.chain, 16);
  view.setUint32(48, mark.slotSizeBytes, true);
  for (const [index, { slotCountLog2, live, tombstones, crc }] of mark.shards.entries())
    for (const [word, value] of [slotCountLog2, live, tombstones, crc].entries())
      view.setUint32(HEAD_SIZE_BYTES + SHARD_SIZE_BYTES * index + 4 * word, value, true);
  view.setUint32(end, kernels.crc32c(bytes.subarray(0, end)), true);
  await writeWhole(files, path, bytes);
}

/** Reads the mark of a table of one slot size; undefined when there is none that can be trusted. */
export async function readMark(
  files: Files,
  kernels: Pick<Kernels, 'crc32c'>,
  path: string,
  slotSizeBytes: 32 | 64,
): Promise<CleanMark | undefined> {
  if (!(await files.exists(path))) return undefined;
  const bytes = await readWhole(files, path, HEAD_SIZE_BYTES + SHARD_SIZE_BYTES * SHARDS_MAX + 4);
  if (bytes.length < HEAD_SIZE_BYTES + 4 || !sameBytes(bytes.subarray(0, 8), MAGIC)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(12, true);
  const end = HEAD_SIZE_BYTES + SHARD_SIZE_BYTES * count;
  if (view.getUint32(8, true) !== VERSION || bytes.length !== end + 4) return undefined;
  if (!isShardCount(count) || view.getUint32(48, true) !== slotSizeBytes) return undefined;
  if (view.getUint32(end, true) !== kernels.crc32c(bytes.subarray(0, end))) return undefined;
  const shards = Array.from({ length: count }, (_, index) => shardAt(view, HEAD_SIZE_BYTES + SHARD_SIZE_BYTES * index));
  const { min, max } = slotCountLog2Range(slotSizeBytes);
  const sane = shards.every(
    ({ slotCountLog2, live, tombstones }) =>
      slotCountLog2 >= min && slotCountLog2 <= max && (live + tombstones) * 2 <= 2 ** slotCountLog2,
  );
  return sane ? { chain: bytes.slice(16, 48), slotSizeBytes, shards } : undefined;
}

const isShardCount = (count: number): boolean =>
  count >= 1 && count <= SHARDS_MAX && Number.isInteger(Math.log2(count));

function shardAt(view: DataView, at: number): ShardMark {
  const word = (index: number): number => view.getUint32(at + 4 * index, true);
  return { slotCountLog2: word(0), live: word(1), tombstones: word(2), crc: word(3) };
}

/** Removes the mark, durably. Nothing happens when there is none. */
export async function removeMark(files: Files, path: string): Promise<void> {
  if (!(await files.exists(path))) return;
  await files.remove(path);
  await files.syncDirectory(dirname(path));
}
