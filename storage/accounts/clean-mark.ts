/**
 * The clean mark: a small file that is there only while the table on disk equals the op log at a known point.
 *
 *   offset  bytes  field
 *   0       8      magic 'CAIRNTBL'
 *   8       4      format version u32 = 1
 *   12      4      number of shards u32 = n, a power of two up to 256
 *   16      32     the op log's chain that the table equals
 *   48      8 n    for each shard: slot count as a power of two u32, accounts u32
 *   48+8n   4      CRC-32C of all before
 *
 * Invariant: written only after every shard is synced; removed, durably, before the first change of the table. Absent or unreadable
 * means dirty: rebuild.
 */
import { dirname } from 'node:path';
import { type Kernels, sameBytes } from '../../native/index.ts';
import { type Files, readWhole, writeWhole } from '../files/files.ts';
import { SLOT_COUNT_LOG2_MAX, SLOT_COUNT_LOG2_MIN } from './shard.ts';

const MAGIC: Uint8Array = new TextEncoder().encode('CAIRNTBL');
const VERSION = 1;
const HEAD_SIZE_BYTES = 48;
export const SHARDS_MAX = 256;

export interface ShardMark {
  readonly slotCountLog2: number;
  readonly used: number;
}

export interface CleanMark {
  /** 32 bytes. */
  readonly chain: Uint8Array;
  readonly shards: readonly ShardMark[];
}

/** Writes the mark, durable with its name when resolved. */
export async function writeMark(
  files: Files,
  kernels: Pick<Kernels, 'crc32c'>,
  path: string,
  mark: CleanMark,
): Promise<void> {
  const end = HEAD_SIZE_BYTES + 8 * mark.shards.length;
  const bytes = new Uint8Array(end + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, mark.shards.length, true);
  bytes.set(mark.chain, 16);
  for (const [index, { slotCountLog2, used }] of mark.shards.entries()) {
    view.setUint32(HEAD_SIZE_BYTES + 8 * index, slotCountLog2, true);
    view.setUint32(HEAD_SIZE_BYTES + 8 * index + 4, used, true);
  }
  view.setUint32(end, kernels.crc32c(bytes.subarray(0, end)), true);
  await writeWhole(files, path, bytes);
}

/** Reads the mark; undefined when there is none that can be trusted. */
export async function readMark(
  files: Files,
  kernels: Pick<Kernels, 'crc32c'>,
  path: string,
): Promise<CleanMark | undefined> {
  if (!(await files.exists(path))) return undefined;
  const bytes = await readWhole(files, path, HEAD_SIZE_BYTES + 8 * SHARDS_MAX + 4);
  if (bytes.length < HEAD_SIZE_BYTES + 4 || !sameBytes(bytes.subarray(0, 8), MAGIC)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(12, true);
  const end = HEAD_SIZE_BYTES + 8 * count;
  if (view.getUint32(8, true) !== VERSION || bytes.length !== end + 4) return undefined;
  if (view.getUint32(end, true) !== kernels.crc32c(bytes.subarray(0, end))) return undefined;
  const shards = Array.from({ length: count }, (_, index) => ({
    slotCountLog2: view.getUint32(HEAD_SIZE_BYTES + 8 * index, true),
    used: view.getUint32(HEAD_SIZE_BYTES + 8 * index + 4, true),
  }));
  const sane = shards.every(
    ({ slotCountLog2, used }) =>
      slotCountLog2 >= SLOT_COUNT_LOG2_MIN && slotCountLog2 <= SLOT_COUNT_LOG2_MAX && used * 2 <= 2 ** slotCountLog2,
  );
  return sane ? { chain: bytes.slice(16, 48), shards } : undefined;
}

/** Removes the mark, durably. Nothing happens when there is none. */
export async function removeMark(files: Files, path: string): Promise<void> {
  if (!(await files.exists(path))) return;
  await files.remove(path);
  await files.syncDirectory(dirname(path));
}
