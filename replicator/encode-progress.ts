/**
 * How far an encoding got, as a small file beside the unfinished replica: enough to go on after a kill, and to prove first that what is on
 * disk is what was written.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 512 | head as in the replica's file, its replica root zero |
 * | 512 | 8 | bytes of the replica written, u64 |
 * | 520 | 16 | the last cipher block written |
 * | 536 | 4 | CRC-32C of the scratch file the last pass reads; 0 with one layer |
 * | 540 | 4 | length of what follows |
 * | 544 | n | frontier over the segment's subtrees |
 * | 544 + n | 4 | length of what follows |
 * | 548 + n | m | frontier over the replica's subtrees |
 * | 548 + n + m | 4 | CRC-32C of everything before |
 *
 * Invariant: written only after the bytes it speaks of were synced. Hostile or damaged bytes decode to `undefined`: then encode afresh.
 */
import { type Kernels, sameBytes } from '../native/index.ts';
import { Frontier, MerkleError } from '../storage/index.ts';
import type { EncodeState } from './encode.ts';
import { CorruptReplicaError } from './errors.ts';
import {
  decodeReplicaHeader,
  encodeReplicaHeader,
  REPLICA_HEADER_SIZE_BYTES,
  type ReplicaHeader,
} from './replica-header.ts';

export interface EncodeProgress {
  /** What is being encoded; `replicaRoot` is not known yet. */
  readonly header: ReplicaHeader;
  readonly state: EncodeState;
  readonly scratchCrc: number;
}

/** Larger than any progress file: 512 bytes of head and two frontiers of at most 54 peaks. */
export const PROGRESS_SIZE_BYTES_MAX = 8192;

const AT = { offset: REPLICA_HEADER_SIZE_BYTES, chain: 520, scratchCrc: 536, frontiers: 540 } as const;

/** Encodes into new bytes. */
export function encodeProgress(kernels: Kernels, { header, state, scratchCrc }: EncodeProgress): Uint8Array {
  const frontiers = [state.segment.encode(), state.replica.encode()];
  const bytes = new Uint8Array(AT.frontiers + frontiers.reduce((sum, each) => sum + 4 + each.length, 0) + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(encodeReplicaHeader(kernels, header));
  view.setBigUint64(AT.offset, BigInt(state.offset), true);
  bytes.set(state.chain, AT.chain);
  view.setUint32(AT.scratchCrc, scratchCrc, true);
  let at: number = AT.frontiers;
  for (const each of frontiers) {
    view.setUint32(at, each.length, true);
    bytes.set(each, at + 4);
    at += 4 + each.length;
  }
  view.setUint32(at, kernels.crc32c(bytes.subarray(0, at)), true);
  return bytes;
}

/** Reads a progress file; undefined when it is not exactly one. */
export function decodeProgress(kernels: Kernels, bytes: Uint8Array): EncodeProgress | undefined {
  const end = bytes.length - 4;
  if (bytes.length > PROGRESS_SIZE_BYTES_MAX || end < AT.frontiers + 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(end, true) !== kernels.crc32c(bytes.subarray(0, end))) return undefined;
  try {
    const header = decodeReplicaHeader(kernels, bytes.slice(0, REPLICA_HEADER_SIZE_BYTES), 'progress');
    const segmentEnd = AT.frontiers + 4 + view.getUint32(AT.frontiers, true);
    if (segmentEnd + 4 > end || segmentEnd + 4 + view.getUint32(segmentEnd, true) !== end) return undefined;
    const state = {
      offset: Number(view.getBigUint64(AT.offset, true)),
      chain: bytes.slice(AT.chain, AT.scratchCrc),
      segment: Frontier.decode(bytes.subarray(AT.frontiers + 4, segmentEnd)),
      replica: Frontier.decode(bytes.subarray(segmentEnd + 4, end)),
    };
    return { header, state, scratchCrc: view.getUint32(AT.scratchCrc, true) };
  } catch (error) {
    if (error instanceof CorruptReplicaError || error instanceof MerkleError) return undefined;
    throw error;
  }
}

/** Whether a progress is that of the encoding asked for. */
export function isProgressOf({ header }: EncodeProgress, wanted: ReplicaHeader, kernels: Kernels): boolean {
  return sameBytes(encodeReplicaHeader(kernels, header), encodeReplicaHeader(kernels, wanted));
}
