/**
 * Recovery: reads the whole log, checks every byte of it, and makes it end where its last whole batch ends.
 *
 * Invariants
 * - A fault in the acknowledged part throws `CorruptionError` and changes nothing on disk. What is acknowledged follows from the
 *   superblock (see superblock.ts).
 * - A fault behind it ends the log there: what follows was never acknowledged, and is removed.
 * - What is kept but was perhaps never synced is written again before it is synced: after a failed sync the page cache may show
 *   bytes that the disk does not have. A sector rewritten with equal bytes is the same before and after.
 * - A recovered log recovers to itself: the second time nothing is written.
 */
import { type Hash, sameBytes } from '../../native/index.ts';
import { CorruptionError, hexOf } from '../errors.ts';
import type { Files, StoredFile } from '../files/files.ts';
import { BatchError, type BatchHead, checkBatch } from './batch.ts';
import { type FrameKernels, nextChain } from './frame.ts';
import { FrameReader, type ReadFrame } from './frame-reader.ts';
import { headerFault, type LogPosition, SEGMENT_HEADER_SIZE_BYTES, segmentIndex, segmentName } from './segment.ts';
import type { LogIdentity, Superblock, SuperblockFile } from './superblock.ts';

const REWRITE_CHUNK_SIZE_BYTES: number = 1024 * 1024;

/** A segment as the open log knows it. */
export interface SegmentInfo {
  readonly index: number;
  readonly first: LogPosition;
  /** Where each batch's frame begins; entry i is of height first.height + i. */
  readonly offsets: number[];
  /** Bytes of the file that hold acknowledged frames. */
  end: number;
}

/** A batch met while recovering; its bytes are borrowed for the call. */
export interface RecoveredBatch {
  readonly height: number;
  readonly opCount: number;
  readonly batch: Uint8Array;
  /** SHA-256('cairn/batch/1' || batch). */
  readonly digest: Hash;
  /** Number of its first op, counted from 0 over the whole log. */
  readonly firstOp: number;
}

export interface ScanInput {
  readonly files: Files;
  readonly kernels: FrameKernels;
  readonly directory: string;
  readonly identity: LogIdentity;
  /** The newest superblock: what is acknowledged. */
  readonly block: Superblock;
  /** Sees every batch in order. */
  readonly visit: (batch: RecoveredBatch) => void;
}

export interface RecoveryInput extends Omit<ScanInput, 'block'> {
  readonly superblock: SuperblockFile;
}

export interface RecoveredLog {
  readonly segments: SegmentInfo[];
  readonly tip: LogPosition;
}

/** Where the log must end: the first byte that does not belong to it, and why it does not. */
export interface Cut {
  readonly segment: number;
  readonly offset: number;
  readonly fault: Fault;
}

/** What reading a log found. */
export interface ScannedLog extends RecoveredLog {
  /** Indexes of the segment files there are, ascending. */
  readonly present: readonly number[];
  /** The torn tail that recovery would cut, if there is one. */
  readonly cut: Cut | undefined;
}

/** Reads and checks every byte of the log as recovery does, and changes nothing. Throws `CorruptionError`, `FilesError`. */
export async function scanLog(input: ScanInput): Promise<ScannedLog> {
  const names = await input.files.list(input.directory);
  const scan = new LogScan(
    input,
    names.map(segmentIndex).filter((index) => index !== undefined),
  );
  await scan.run();
  return scan;
}

/** Runs recovery. Throws `CorruptionError`, `FilesError`. */
export async function recoverLog(input: RecoveryInput): Promise<RecoveredLog> {
  const scan = await scanLog({ ...input, block: input.superblock.latest });
  await cutTail(input, scan);
  await settle(input, scan);
  return { segments: scan.segments, tip: scan.tip };
}

class LogScan implements ScannedLog {
  readonly segments: SegmentInfo[] = [];
  tip: LogPosition;
  cut: Cut | undefined;
  readonly present: readonly number[];
  readonly #input: ScanInput;
  readonly #block: Superblock;

  constructor(input: ScanInput, present: readonly number[]) {
    this.#input = input;
    this.#block = input.block;
    this.present = present;
    this.tip = { height: 0, opCount: 0, frameOffset: 0, chain: input.identity.chainId };
  }

  async run(): Promise<void> {
    const last = Math.max(this.#block.segment, this.present.at(-1) ?? 0);
    for (let index = this.#block.firstSegment; index <= last && this.cut === undefined; index++) {
      if (this.present.includes(index)) await this.#scanSegment(index);
      else this.#end(index, 0, { offset: 0, expected: 'a segment file', found: 'none' });
    }
    this.#checkPassed();
    const { position, segment, start } = this.#block;
    if (this.tip.height < position.height)
      this.#damaged(segment, start, `batches up to height ${position.height}`, `the last before ${this.tip.height}`);
  }

  /** The log must pass through the very point that the superblock noted. */
  #checkPassed(): void {
    const { position, segment, start } = this.#block;
    if (this.tip.height !== position.height || sameBytes(this.tip.chain, position.chain)) return;
    this.#damaged(segment, start, `chain ${hexOf(position.chain)}`, hexOf(this.tip.chain));
  }

  #damaged(segment: number, offset: number, expected: string, found: string): never {
    throw new CorruptionError(`${this.#input.directory}/${segmentName(segment)}`, offset, expected, found);
  }

  async #scanSegment(index: number): Promise<void> {
    const { files, kernels, directory, identity } = this.#input;
    const file = await files.open(`${directory}/${segmentName(index)}`, 'read');
    try {
      const size = await file.sizeBytes();
      const header = new Uint8Array(Math.min(size, SEGMENT_HEADER_SIZE_BYTES));
      await file.read(0, header);
      const fault = headerFault(kernels, header, identity.chainId, this.tip);
      if (fault !== undefined) return this.#end(index, size, fault);
      this.segments.push({ index, first: this.tip, offsets: [], end: SEGMENT_HEADER_SIZE_BYTES });
      await this.#scanFrames(index, new FrameReader(kernels, file, SEGMENT_HEADER_SIZE_BYTES, size), size);
    } finally {
      await file.close();
    }
  }

  async #scanFrames(index: number, reader: FrameReader, size: number): Promise<void> {
    for (;;) {
      const frame = await reader.next();
      if (frame === undefined) break;
      const fault = frame.kind === 'fault' ? frame : this.#take(reader, frame);
      if (fault !== undefined)
        return this.#end(index, size, fault, frame.kind === 'frame' ? frame.offset : reader.offset);
    }
    // A file cut exactly between two frames looks whole: the superblock knows better.
    const { segment, end } = this.#block;
    if (index === segment && size < end)
      this.#end(index, size, { offset: size, expected: `at least ${end} bytes`, found: `${size}` }, size);
    else if (this.segments.at(-1)!.offsets.length === 0)
      this.#end(index, size, { offset: size, expected: 'at least one frame', found: 'none' });
  }

  /** Adds a frame to the log, or tells why it does not belong there. */
  #take(reader: FrameReader, frame: ReadFrame): Fault | undefined {
    this.#checkPassed();
    const { kernels, visit } = this.#input;
    const { batch, offset, chain } = frame;
    const digest = reader.digest(frame);
    const wanted = nextChain(kernels, this.tip.chain, digest);
    if (!sameBytes(wanted, chain))
      return { offset: offset + 8, expected: `chain ${hexOf(wanted)}`, found: hexOf(chain) };
    const head = headOf(batch);
    if (head === undefined || head.height !== this.tip.height)
      return { offset: offset + 40, expected: `a batch of height ${this.tip.height}`, found: 'another' };
    const segment = this.segments.at(-1)!;
    segment.offsets.push(offset);
    segment.end = offset + frame.sizeBytes;
    visit({ height: head.height, opCount: head.opCount, batch, digest, firstOp: this.tip.opCount });
    this.tip = {
      height: head.height + 1,
      opCount: this.tip.opCount + head.opCount,
      frameOffset: this.tip.frameOffset + frame.sizeBytes,
      chain: wanted,
    };
    return undefined;
  }

  /** Judges a fault: damage to what was acknowledged, or the torn tail that ends the log at byte `at` of a segment. */
  #end(index: number, size: number, fault: Fault, at = 0): void {
    const { segment, start, end } = this.#block;
    const later = size > end || this.present.some((other) => other > index);
    const acknowledged = index < segment || (index === segment && (at < start || (at < end && later)));
    if (acknowledged) this.#damaged(index, fault.offset, fault.expected, fault.found);
    this.cut = { segment: index, offset: at, fault };
  }
}

export interface Fault {
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

function headOf(batch: Uint8Array): BatchHead | undefined {
  try {
    return checkBatch(batch);
  } catch (error) {
    if (error instanceof BatchError) return undefined;
    throw error;
  }
}

/** Removes what follows the cut: later segments from the last down, then the rest of the cut one. Durable when resolved. */
async function cutTail(input: RecoveryInput, scan: ScannedLog): Promise<void> {
  const { files, directory } = input;
  if (scan.cut === undefined) return;
  const { segment, offset } = scan.cut;
  const empty = offset <= SEGMENT_HEADER_SIZE_BYTES;
  if (empty && scan.segments.at(-1)?.index === segment) scan.segments.pop();
  const firstToRemove = empty ? segment : segment + 1;
  for (const index of [...scan.present].reverse())
    if (index >= firstToRemove) await files.remove(`${directory}/${segmentName(index)}`);
  await files.syncDirectory(directory);
  if (empty) return;
  const file = await files.open(`${directory}/${segmentName(segment)}`, 'write');
  try {
    await file.truncate(offset);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes everything kept durable and says so in a superblock; does nothing when the superblock says so already. */
async function settle(input: RecoveryInput, scan: ScannedLog): Promise<void> {
  const { files, directory, superblock } = input;
  const block = superblock.latest;
  const last = scan.segments.at(-1);
  const [segment, end] = last === undefined ? [block.firstSegment, 0] : [last.index, last.end];
  if (block.start === block.end && block.segment === segment && block.end === end) return;
  for (const { index, end: to } of scan.segments) {
    if (index < block.segment) continue;
    await rewrite(files, `${directory}/${segmentName(index)}`, index === block.segment ? block.start : 0, to);
  }
  await files.syncDirectory(directory);
  await superblock.write({ segment, start: end, end, position: scan.tip });
}

/** Writes a stretch of a file again with its own bytes, and syncs it. */
async function rewrite(files: Files, path: string, from: number, to: number): Promise<void> {
  const file: StoredFile = await files.open(path, 'write');
  try {
    for (let at = from; at < to; at += REWRITE_CHUNK_SIZE_BYTES) {
      const bytes = new Uint8Array(Math.min(REWRITE_CHUNK_SIZE_BYTES, to - at));
      await file.read(at, bytes);
      await file.write(at, bytes);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}
