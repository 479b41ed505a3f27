/**
 * What a replicator keeps of the chain itself: a proof of finality, and the roots of all segments up to that block. With it, replicas can be served and
 * checked by others after a restart, when nobody else is left to ask.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 8 | `cairnkc1` |
 * | 8 | 4 | size h of the header |
 * | 12 | 4 | size c of the certificate |
 * | 16 | 4 | number n of segment roots |
 * | 20 | h | the final header |
 * | 20 + h | c | its certificate |
 * | 20 + h + c | 32 n | roots of segments 0 .. n - 1 |
 * | .. | 4 | CRC-32C of everything before |
 *
 * Invariants: written whole under another name, synced, renamed; only what was shown final and compared with the header is written. A file that is
 * damaged counts as none: it is only a convenience to others.
 */
import type { Kernels } from '../../../native/index.ts';
import { readWhole } from '../../../storage/files/files.ts';
import { type Files, writeWhole } from '../../../storage/index.ts';
import { type BlockHeader, decodeHeader } from '../../codec/index.ts';
import type { FinalityFrames } from './finality-follower.ts';

const MAGIC: Uint8Array = Buffer.from('cairnkc1');
const HEAD_SIZE_BYTES = 20;
const SIZE_BYTES_MAX: number = 256 * 1024 * 1024;

export interface ChainMark {
  readonly header: BlockHeader;
  readonly frames: FinalityFrames;
  /** As many as the header says segments are complete. */
  readonly roots: readonly Uint8Array[];
}

export class KeptChain {
  readonly #kernels: Kernels;
  readonly #files: Files;
  readonly #path: string;
  #mark: ChainMark | undefined;

  private constructor(kernels: Kernels, files: Files, path: string) {
    this.#kernels = kernels;
    this.#files = files;
    this.#path = path;
  }

  /** Reads the file, when there is one that is whole. */
  static async open(kernels: Kernels, files: Files, path: string): Promise<KeptChain> {
    const kept = new KeptChain(kernels, files, path);
    if (await files.exists(path)) kept.#mark = decodeMark(kernels, await readWhole(files, path, SIZE_BYTES_MAX));
    return kept;
  }

  get mark(): ChainMark | undefined {
    return this.#mark;
  }

  /** Keeps a mark when it has more segments than the one kept; durable when resolved. */
  async note(mark: ChainMark): Promise<void> {
    if (mark.roots.length !== mark.header.segmentCount) return;
    if (this.#mark !== undefined && mark.roots.length <= this.#mark.roots.length) return;
    await writeWhole(this.#files, this.#path, encodeMark(this.#kernels, mark));
    this.#mark = mark;
  }
}

export function encodeMark(kernels: Kernels, { frames: [header, certificate], roots }: ChainMark): Uint8Array {
  const head = Buffer.alloc(HEAD_SIZE_BYTES);
  head.set(MAGIC);
  head.writeUInt32LE(header.length, 8);
  head.writeUInt32LE(certificate.length, 12);
  head.writeUInt32LE(roots.length, 16);
  const body = Buffer.concat([head, header, certificate, ...roots]);
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(kernels.crc32c(body));
  return Uint8Array.from(Buffer.concat([body, crc]));
}

/** Undefined when the bytes are not exactly a mark. */
export function decodeMark(kernels: Kernels, bytes: Uint8Array): ChainMark | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = view.length - 4;
  if (end < HEAD_SIZE_BYTES || !view.subarray(0, 8).equals(MAGIC)) return undefined;
  const [headerSize, certificateSize, count] = [8, 12, 16].map((at) => view.readUInt32LE(at)) as [
    number,
    number,
    number,
  ];
  const rootsAt = HEAD_SIZE_BYTES + headerSize + certificateSize;
  if (rootsAt + count * 32 !== end || view.readUInt32LE(end) !== kernels.crc32c(view.subarray(0, end)))
    return undefined;
  const slice = (from: number, to: number): Uint8Array => Uint8Array.from(view.subarray(from, to));
  const header = slice(HEAD_SIZE_BYTES, HEAD_SIZE_BYTES + headerSize);
  const roots = Array.from({ length: count }, (_, index) => slice(rootsAt + index * 32, rootsAt + (index + 1) * 32));
  try {
    const decoded = decodeHeader(kernels, header);
    return { header: decoded, frames: [header, slice(HEAD_SIZE_BYTES + headerSize, rootsAt)], roots };
  } catch {
    return undefined;
  }
}
