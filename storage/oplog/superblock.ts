/**
 * The superblocks: two slots in one file, written alternately, that say which part of the log is acknowledged.
 *
 *   file: slot 0 at offset 0, slot 1 at offset 4096; a slot is one sector of 512 bytes, so it lands whole or not at all.
 *
 *   offset  bytes  field
 *   0       8      magic 'CAIRNSUP'
 *   8       4      format version u32 = 1
 *   12      4      segment size u32, bytes
 *   16      8      sequence u64, 1 more with every write; slot = sequence mod 2
 *   24      32     chain id
 *   56      8      first segment u64 that the log ever had: not 0 when it was begun later by a fast sync
 *   64      8      segment u64 that the group went into
 *   72      8      start u64: where in it the group began; everything before is acknowledged. 0: the group opened the segment
 *   80      8      end u64: where the group ends; equal to start when nothing was in flight
 *   88      8      height u64 of the batch at start
 *   96      32     digest of the batch before it; the chain id when there is none
 *   128     8      ops u64 before it: the number of its head
 *   136     8      frame offset u64 of its frame
 *   144     4      previous frame size u32, bytes
 *   148     4      retain heights u32: how far behind the tip the floor is taken below which segments go
 *   152     356    zero
 *   508     4      CRC-32C of bytes 0 .. 507
 *
 * A group (batches that share one sync) writes its frames and its superblock side by side, syncs both, then acknowledges. The next
 * group starts only then. So the newest valid superblock tells: bytes before `start` are acknowledged; bytes from `start` to
 * `end` are acknowledged if anything lies behind them (a later group was begun), else perhaps; bytes behind `end` are not.
 */
import { type Kernels, sameBytes } from '../../native/index.ts';
import { assertInvariant, CorruptionError, hexOf, StorageError } from '../errors.ts';
import { type Files, readWhole, type StoredFile, writeWhole } from '../files/files.ts';
import type { LogPosition } from './log-position.ts';
import { SEGMENT_SIZE_BYTES_DEFAULT, segmentOfFrame } from './segment.ts';

export const SLOT_SIZE_BYTES = 512;
export const SLOT_STRIDE_BYTES = 4096;
export const SUPERBLOCK_FILE_SIZE_BYTES: number = SLOT_STRIDE_BYTES + SLOT_SIZE_BYTES;
const MAGIC: Uint8Array = new TextEncoder().encode('CAIRNSUP');
const VERSION = 1;
export const SUPERBLOCK_NAME = 'superblock';

/** Heights behind the tip whose floor decides which segments go. */
export const RETAIN_HEIGHTS_DEFAULT = 32;

export interface Superblock {
  readonly sequence: number;
  /** Number of the segment that the log began with. */
  readonly firstSegment: number;
  readonly segment: number;
  readonly start: number;
  readonly end: number;
  /** The log at `start`. */
  readonly position: LogPosition;
}

/** What a log is, apart from its contents. */
export interface LogIdentity {
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  readonly segmentSizeBytes: number;
  /** A segment goes when it lies below the floor in the head of the batch this many heights before the tip. */
  readonly retainHeights: number;
}

/** What a log is told to be, with what is not told filled in. */
export function identityOf(options: Pick<LogIdentity, 'chainId'> & Partial<LogIdentity>): LogIdentity {
  const { chainId, segmentSizeBytes = SEGMENT_SIZE_BYTES_DEFAULT, retainHeights = RETAIN_HEIGHTS_DEFAULT } = options;
  assertInvariant(segmentSizeBytes >= 4096 && segmentSizeBytes <= 2 ** 30, 'segment size within 4 KiB .. 1 GiB');
  assertInvariant(Number.isInteger(retainHeights) && retainHeights >= 0 && retainHeights < 2 ** 32, 'retained heights');
  assertInvariant(chainId.length === 32, 'a chain id has 32 bytes');
  return { chainId: chainId.slice(), segmentSizeBytes, retainHeights };
}

function encodeSlot(kernels: Pick<Kernels, 'crc32c'>, identity: LogIdentity, block: Superblock): Uint8Array {
  const bytes = new Uint8Array(SLOT_SIZE_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, identity.segmentSizeBytes, true);
  view.setBigUint64(16, BigInt(block.sequence), true);
  bytes.set(identity.chainId, 24);
  view.setBigUint64(56, BigInt(block.firstSegment), true);
  view.setBigUint64(64, BigInt(block.segment), true);
  view.setBigUint64(72, BigInt(block.start), true);
  view.setBigUint64(80, BigInt(block.end), true);
  view.setBigUint64(88, BigInt(block.position.height), true);
  bytes.set(block.position.digest, 96);
  view.setBigUint64(128, BigInt(block.position.opCount), true);
  view.setBigUint64(136, BigInt(block.position.frameOffset), true);
  view.setUint32(144, block.position.previousFrameSizeBytes, true);
  view.setUint32(148, identity.retainHeights, true);
  view.setUint32(508, kernels.crc32c(bytes.subarray(0, 508)), true);
  return bytes;
}

/** What a whole slot says: which log it belongs to, and how far that was acknowledged. */
export interface SlotContents {
  readonly identity: LogIdentity;
  readonly block: Superblock;
}

/** Where a slot is not one. */
export interface SlotFault {
  /** Byte of the slot. */
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

/** Reads one slot (hostile bytes), of whatever log. Throws `StorageError` 'wrong-format' for a whole slot of another version. */
export function readSlot(
  kernels: Pick<Kernels, 'crc32c'>,
  path: string,
  bytes: Uint8Array,
): SlotContents | { readonly fault: SlotFault } {
  const fault = slotFault(kernels, bytes);
  if (fault !== undefined) return { fault };
  const view = new DataView(bytes.buffer, bytes.byteOffset, SLOT_SIZE_BYTES);
  const version = view.getUint32(8, true);
  if (version !== VERSION)
    throw new StorageError(
      'wrong-format',
      `${path} has format version ${version}; this program reads version ${VERSION}`,
    );
  const number = (at: number): number => Number(view.getBigUint64(at, true));
  return {
    identity: {
      chainId: bytes.slice(24, 56),
      segmentSizeBytes: view.getUint32(12, true),
      retainHeights: view.getUint32(148, true),
    },
    block: {
      sequence: number(16),
      firstSegment: number(56),
      segment: number(64),
      start: number(72),
      end: number(80),
      position: {
        height: number(88),
        opCount: number(128),
        frameOffset: number(136),
        previousFrameSizeBytes: view.getUint32(144, true),
        digest: bytes.slice(96, 128),
      },
    },
  };
}

function slotFault(kernels: Pick<Kernels, 'crc32c'>, bytes: Uint8Array): SlotFault | undefined {
  if (bytes.length < SLOT_SIZE_BYTES)
    return { offset: bytes.length, expected: `a slot of ${SLOT_SIZE_BYTES} bytes`, found: `${bytes.length} bytes` };
  if (!sameBytes(bytes.subarray(0, 8), MAGIC))
    return { offset: 0, expected: `${hexOf(MAGIC)} (CAIRNSUP)`, found: hexOf(bytes.subarray(0, 8)) };
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(508, true);
  const crc = kernels.crc32c(bytes.subarray(0, 508));
  return stored === crc ? undefined : { offset: 0, expected: `checksum ${stored} as its end says`, found: `${crc}` };
}

/** Reads one slot; undefined when it is torn or damaged. Throws `StorageError` for a whole slot of another format or chain. */
function decodeSlot(
  kernels: Pick<Kernels, 'crc32c'>,
  path: string,
  identity: LogIdentity,
  bytes: Uint8Array,
): Superblock | undefined {
  const slot = readSlot(kernels, path, bytes);
  if ('fault' in slot) return undefined;
  checkIdentity(path, identity, slot.identity);
  return slot.block;
}

function checkIdentity(path: string, wanted: LogIdentity, found: LogIdentity): void {
  if (!sameBytes(found.chainId, wanted.chainId))
    throw new StorageError(
      'wrong-chain',
      `${path} belongs to chain ${hexOf(found.chainId)}, not to ${hexOf(wanted.chainId)}; use another data directory`,
    );
  for (const field of ['segmentSizeBytes', 'retainHeights'] as const)
    if (found[field] !== wanted[field])
      throw new StorageError(
        'wrong-format',
        `${path} was made with ${field} ${found[field]}, not ${wanted[field]}; it stays as it was made`,
      );
}

/** The open superblock file. */
export class SuperblockFile {
  readonly #kernels: Pick<Kernels, 'crc32c'>;
  readonly #identity: LogIdentity;
  readonly #file: StoredFile;
  #latest: Superblock;

  private constructor(kernels: Pick<Kernels, 'crc32c'>, identity: LogIdentity, file: StoredFile, latest: Superblock) {
    this.#kernels = kernels;
    this.#identity = identity;
    this.#file = file;
    this.#latest = latest;
  }

  get latest(): Superblock {
    return this.#latest;
  }

  /**
   * Opens the file in `directory`, or makes the one of an empty log, durable with its name.
   * @param start where a log that is made begins
   */
  static async open(
    files: Files,
    kernels: Pick<Kernels, 'crc32c'>,
    directory: string,
    identity: LogIdentity,
    start: LogPosition,
  ): Promise<SuperblockFile> {
    const path = `${directory}/${SUPERBLOCK_NAME}`;
    if (!(await files.exists(path))) await createFile(files, kernels, path, identity, start);
    const bytes = await readWhole(files, path, SUPERBLOCK_FILE_SIZE_BYTES);
    const slots = [0, SLOT_STRIDE_BYTES].map((at) =>
      decodeSlot(kernels, path, identity, bytes.subarray(at, at + SLOT_SIZE_BYTES)),
    );
    let latest: Superblock | undefined;
    for (const slot of slots)
      if (slot !== undefined && (latest === undefined || slot.sequence > latest.sequence)) latest = slot;
    if (latest === undefined) throw new CorruptionError(path, 0, 'at least one valid superblock of two', 'none');
    return new SuperblockFile(kernels, identity, await files.open(path, 'write'), latest);
  }

  /** Writes the next superblock into the older slot and syncs it. */
  async write(next: Omit<Superblock, 'sequence' | 'firstSegment'>): Promise<void> {
    const { sequence, firstSegment } = this.#latest;
    const block: Superblock = { ...next, sequence: sequence + 1, firstSegment };
    const slot = encodeSlot(this.#kernels, this.#identity, block);
    await this.#file.write((block.sequence % 2) * SLOT_STRIDE_BYTES, slot);
    await this.#file.sync();
    this.#latest = block;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function createFile(
  files: Files,
  kernels: Pick<Kernels, 'crc32c'>,
  path: string,
  identity: LogIdentity,
  position: LogPosition,
): Promise<void> {
  const segment = segmentOfFrame(position.frameOffset, identity.segmentSizeBytes);
  const block = { firstSegment: segment, segment, start: 0, end: 0, position };
  const bytes = new Uint8Array(SUPERBLOCK_FILE_SIZE_BYTES);
  bytes.set(encodeSlot(kernels, identity, { ...block, sequence: 0 }), 0);
  bytes.set(encodeSlot(kernels, identity, { ...block, sequence: 1 }), SLOT_STRIDE_BYTES);
  await writeWhole(files, path, bytes);
}
