/**
 * Reads a whole log as it lies on disk, checks every byte of it, and says where it ends. Changes nothing.
 *
 * Invariants
 * - A fault in the acknowledged part throws `CorruptionError`. What is acknowledged follows from the superblock (see superblock.ts).
 * - A fault behind it ends the log there (`cut`).
 * - Each segment begins where the one before ends, under the number that its frame offset gives; the first may be any that the
 *   deletion of segments leaves (`#checkStart`).
 */
import { sameBytes } from '../../native/index.ts';
import { CorruptionError, hexOf } from '../errors.ts';
import type { StoredFile } from '../files/files.ts';
import { BatchError, opOffsets, readBatchHead } from './batch.ts';
import { FRAME_HEAD_SIZE_BYTES } from './frame.ts';
import { FrameReader, type ReadFrame } from './frame-reader.ts';
import { readBatches } from './log-follower.ts';
import { type LogPosition, placeFault, positionAfter, startOfLog } from './log-position.ts';
import type { Cut, Fault, ScanInput, ScannedLog, SegmentProof, SegmentProofs } from './log-visitor.ts';
import { LogPositions } from './positions.ts';
import {
  frontierFault,
  type HeaderFault,
  headerFault,
  opensSegment,
  readSegmentHeader,
  SEGMENT_HEADER_SIZE_BYTES_MAX,
  type SegmentHeader,
  segmentIndex,
  segmentName,
  segmentOfFrame,
} from './segment.ts';
import type { KeptSegment } from './segment-list.ts';
import type { Superblock } from './superblock.ts';

/** Reads and checks every byte of the log. Throws `CorruptionError`, `FilesError`, and what the visitor throws. */
export async function scanLog(input: ScanInput): Promise<ScannedLog> {
  const names = await input.files.list(input.directory);
  const present = names.map(segmentIndex).filter((index) => index !== undefined);
  const { directory, identity, block } = input;
  const proofs = input.startProofs?.({ directory, identity, block, present });
  const scan = new LogScan(input, present, proofs);
  try {
    await scan.run();
    return scan;
  } catch (error) {
    await closeSegments(scan.segments);
    throw error;
  } finally {
    await proofs?.stop();
  }
}

/**
 * Reads and checks one segment by itself, from its header on, as if the log began with it. Throws as `scanLog`.
 * @returns with its file closed; undefined when something is wrong with it, perhaps only in the place where it stands
 */
export async function scanSegment(input: ScanInput, index: number): Promise<ScannedLog | undefined> {
  const scan = new LogScan(input, [index], undefined);
  try {
    await scan.runAlone(index);
    return scan.cut === undefined ? scan : undefined;
  } finally {
    await closeSegments(scan.segments);
  }
}

/** Closes the files of scanned segments. */
export async function closeSegments(segments: readonly KeptSegment[]): Promise<void> {
  for (const { file } of segments) await file.close();
}

class LogScan implements ScannedLog {
  readonly segments: KeptSegment[] = [];
  positions: LogPositions;
  tip: LogPosition;
  cut: Cut | undefined;
  readonly present: readonly number[];
  readonly #input: ScanInput;
  readonly #block: Superblock;
  readonly #proofs: SegmentProofs | undefined;
  #floor = 0;

  constructor(input: ScanInput, present: readonly number[], proofs: SegmentProofs | undefined) {
    this.#input = input;
    this.#proofs = proofs;
    this.#block = input.block;
    this.present = present;
    // As long as no segment was read: the place where the log was begun.
    this.tip = input.block.position;
    this.positions = new LogPositions(this.tip);
  }

  async run(): Promise<void> {
    const { segmentSizeBytes } = this.#input.identity;
    let index = this.present[0];
    while (index !== undefined && this.cut === undefined) {
      await this.#scanSegment(index);
      index =
        this.cut === undefined ? this.#next(index, segmentOfFrame(this.tip.frameOffset, segmentSizeBytes)) : index;
    }
    if (this.present.length === 0 && this.#block.end > 0) this.#end(this.#block.segment, 0, NO_FILE);
    this.#checkPassed();
    const { position, segment, start } = this.#block;
    if (this.tip.height < position.height)
      this.#damaged(segment, start, `batches up to height ${position.height}`, `the last before ${this.tip.height}`);
    this.#checkStart();
  }

  runAlone(index: number): Promise<void> {
    return this.#scanSegment(index);
  }

  /** The segment to read after `index`, when the next frame belongs into segment `next`. */
  #next(index: number, next: number): number | undefined {
    const later = this.present.find((other) => other > index);
    if (later === next) return next;
    if (later !== undefined && next !== index) this.#damaged(next, 0, NO_FILE.expected, NO_FILE.found);
    if (later !== undefined)
      this.#damaged(index, this.segments.at(-1)!.end, `all frames before segment ${later}`, 'the end');
    if (this.#block.segment >= next && next !== index) this.#end(next, 0, NO_FILE);
    return undefined;
  }

  /** The log must pass through the very point that the superblock noted. */
  #checkPassed(): void {
    const { position, segment, start } = this.#block;
    const { tip } = this;
    if (tip.height !== position.height) return;
    if (!sameBytes(tip.digest, position.digest))
      this.#damaged(segment, start, `digest ${hexOf(position.digest)}`, hexOf(tip.digest));
    for (const field of ['opCount', 'frameOffset', 'previousFrameSizeBytes'] as const)
      if (tip[field] !== position[field]) this.#damaged(segment, start, `${field} ${position[field]}`, `${tip[field]}`);
  }

  /**
   * The log must begin with the segment that it was made with, or with one that deletion may leave: at or below the floor in the head
   * of the batch `retainHeights` before the tip. Else a file is missing.
   */
  #checkStart(): void {
    const { firstSegment, segment, start } = this.#block;
    const { segmentSizeBytes, retainHeights } = this.#input.identity;
    const first = this.#emptied ? undefined : this.segments[0];
    if (first === undefined) {
      if (segment === firstSegment && start === 0) return;
      const { offset, expected, found } = this.cut?.fault ?? NO_FILE;
      this.#damaged(this.cut?.segment ?? segment, offset, expected, found);
    }
    if (first.index === firstSegment) return;
    const floor = this.positions.floor(this.tip.height - 1 - retainHeights);
    if (floor !== undefined && first.first.opCount <= floor) return;
    const before = first.first.frameOffset - first.first.previousFrameSizeBytes;
    this.#damaged(segmentOfFrame(before, segmentSizeBytes), 0, NO_FILE.expected, NO_FILE.found);
  }

  /** True when cutting takes the only segment there is. */
  get #emptied(): boolean {
    const { cut, segments } = this;
    return segments.length === 1 && cut?.segment === segments[0]!.index && cut.offset <= segments[0]!.headerSizeBytes;
  }

  #damaged(segment: number, offset: number, expected: string, found: string): never {
    throw new CorruptionError(`${this.#input.directory}/${segmentName(segment)}`, offset, expected, found);
  }

  async #scanSegment(index: number): Promise<void> {
    const file = await this.#input.files.open(`${this.#input.directory}/${segmentName(index)}`, 'read');
    let kept: KeptSegment | undefined;
    try {
      const size = await file.sizeBytes();
      const bytes = new Uint8Array(Math.min(size, SEGMENT_HEADER_SIZE_BYTES_MAX));
      await file.read(0, bytes);
      const header = readSegmentHeader(this.#input.kernels, bytes);
      const fault = 'fault' in header ? header.fault : this.#headerFault(index, header);
      if ('fault' in header || fault !== undefined) return this.#end(index, size, fault!);
      kept = this.#begin(index, header, file);
      const proof = await this.#proofs?.next(index);
      if (proof !== undefined && this.#fits(proof, bytes.subarray(0, header.sizeBytes), size))
        await this.#takeProven(kept, proof);
      else await this.#scanFrames(kept, size);
    } finally {
      if (kept === undefined) await file.close();
    }
  }

  /** A proof starts from what the header (read here and there) says, which is right already, and from floor 0. */
  #fits({ header, end, positions }: SegmentProof, found: Uint8Array, size: number): boolean {
    return sameBytes(header, found) && end === size && positions.floors[0]! >= this.#floor;
  }

  async #takeProven(segment: KeptSegment, proof: SegmentProof): Promise<void> {
    const { visitProven, visitAgain, kernels } = this.#input;
    this.positions.adopt(proof.positions);
    this.#floor = proof.positions.floors.at(-1)!;
    this.tip = proof.tip;
    segment.end = proof.end;
    visitProven?.(proof);
    if (visitAgain === undefined) return;
    let firstOp = segment.first.opCount;
    const { file, headerSizeBytes: offset } = segment;
    for await (const batch of readBatches(kernels, { file, offset }, proof.end)) {
      visitAgain(batch, firstOp);
      firstOp += 1 + readBatchHead(batch).opCount;
    }
  }

  #headerFault(index: number, header: SegmentHeader): HeaderFault | undefined {
    const { chainId, segmentSizeBytes } = this.#input.identity;
    const number = segmentOfFrame(header.first.frameOffset, segmentSizeBytes);
    if (number !== index)
      return { offset: 56, expected: `a frame offset in segment ${index}`, found: `one in segment ${number}` };
    if (!opensSegment(header.first, segmentSizeBytes))
      return {
        offset: 96,
        expected: 'a frame before it that lies in an earlier segment',
        found: `one of ${header.first.previousFrameSizeBytes} bytes`,
      };
    // A log's very first segment begins with nothing before it; of any other that comes first, only the header tells.
    const first = this.segments.length > 0 ? this.tip : index === 0 ? startOfLog(chainId) : header.first;
    return headerFault(header, chainId, first);
  }

  #begin(index: number, { first, frontier, sizeBytes }: SegmentHeader, file: StoredFile): KeptSegment {
    const wanted = this.#input.visitSegment({ index, first, frontier });
    const fault = wanted === undefined ? undefined : frontierFault(frontier, wanted);
    if (fault !== undefined) this.#damaged(index, fault.offset, fault.expected, fault.found);
    if (this.segments.length === 0) {
      this.tip = first;
      this.positions = new LogPositions(first);
    }
    const segment = { index, first, headerSizeBytes: sizeBytes, file, end: sizeBytes };
    this.segments.push(segment);
    return segment;
  }

  async #scanFrames(segment: KeptSegment, size: number): Promise<void> {
    const { index, headerSizeBytes, file } = segment;
    const reader = new FrameReader(this.#input.kernels, file, headerSizeBytes, size);
    for (;;) {
      const frame = await reader.next();
      if (frame === undefined) break;
      const fault = frame.kind === 'fault' ? frame : this.#take(reader, frame, segment);
      if (fault !== undefined)
        return this.#end(index, size, fault, frame.kind === 'frame' ? frame.offset : reader.offset);
    }
    // A file cut exactly between two frames looks whole: the superblock knows better.
    const { segment: last, end } = this.#block;
    if (index === last && size < end)
      this.#end(index, size, { offset: size, expected: `at least ${end} bytes`, found: `${size}` }, size);
    else if (segment.end === headerSizeBytes)
      this.#end(index, size, { offset: size, expected: 'at least one frame', found: 'none' });
  }

  /** Adds a frame to the log, or tells why it does not belong there. */
  #take(reader: FrameReader, frame: ReadFrame, segment: KeptSegment): Fault | undefined {
    this.#checkPassed();
    const { batch, offset } = frame;
    const number = segmentOfFrame(this.tip.frameOffset, this.#input.identity.segmentSizeBytes);
    if (number !== segment.index)
      return { offset, expected: `the end: the next frame belongs into segment ${number}`, found: 'a frame' };
    const digest = reader.digest(frame);
    if (!sameBytes(digest, frame.digest))
      return { offset: offset + 8, expected: `digest ${hexOf(digest)}`, found: hexOf(frame.digest) };
    const offsets = offsetsOf(batch);
    const batchAt = offset + FRAME_HEAD_SIZE_BYTES;
    if (offsets instanceof BatchError) return { offset: batchAt, expected: 'a batch', found: offsets.message };
    const head = readBatchHead(batch);
    const fault = placeFault(head, this.tip, this.#floor);
    if (fault !== undefined) return { ...fault, offset: batchAt + fault.offset };
    const firstOp = this.tip.opCount;
    this.positions.add(head, firstOp, offsets);
    segment.end = offset + frame.sizeBytes;
    this.#floor = head.floor;
    const { height, opCount, floor } = head;
    this.#input.visit({ height, opCount, floor, batch, digest, firstOp, offsets });
    this.tip = positionAfter(this.tip, opCount, frame.sizeBytes, digest);
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

const NO_FILE: Fault = { offset: 0, expected: 'a segment file', found: 'none' };

function offsetsOf(batch: Uint8Array): Uint32Array | BatchError {
  try {
    return opOffsets(batch);
  } catch (error) {
    if (error instanceof BatchError) return error;
    throw error;
  }
}
