/**
 * Cutting a stream of bytes, whatever pieces it arrives in, into pieces of one size, and holding it to its promised length.
 * Memory: one chunk.
 */
import { ReplicatorError } from './errors.ts';

/** Bytes in order: whole, or in pieces of any sizes. Pieces are borrowed until the next one is asked for. */
export type ByteSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** A view of a file or buffer that can be read anywhere. Fills `target` wholly from `offset`, or throws. */
export interface ByteReader {
  read(offset: number, target: Uint8Array): Promise<void>;
}

/** Reads from memory. */
export function memoryReader(bytes: Uint8Array): ByteReader {
  return {
    async read(offset, target): Promise<void> {
      if (offset < 0 || offset + target.length > bytes.length)
        throw new ReplicatorError(
          'range',
          `read of ${target.length} bytes at ${offset} is outside 0 .. ${bytes.length}`,
        );
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}

/** The stream's pieces from `start` to the end, for an encoder or verifier that reads a file. */
export async function* readerChunks(
  reader: ByteReader,
  sizeBytes: number,
  chunkSizeBytes: number,
): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(chunkSizeBytes, sizeBytes));
  for (let offset = 0; offset < sizeBytes; offset += buffer.length) {
    const chunk = buffer.subarray(0, Math.min(buffer.length, sizeBytes - offset));
    await reader.read(offset, chunk);
    yield chunk;
  }
}

function pieces(source: ByteSource): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  return source instanceof Uint8Array ? [source] : source;
}

/** Takes a source of exactly `totalSizeBytes` in whatever pieces the taker wants. */
export class PieceReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #totalSizeBytes: number;
  #piece: Uint8Array = new Uint8Array(0);
  #received = 0;

  constructor(source: ByteSource, totalSizeBytes: number) {
    this.#pieces = asAsync(source);
    this.#totalSizeBytes = totalSizeBytes;
  }

  /** Fills `target` with the next bytes. Throws `ReplicatorError` 'source-short'. */
  async fill(target: Uint8Array): Promise<void> {
    for (let filled = 0; filled < target.length; ) {
      if (this.#piece.length === 0 && !(await this.#next()))
        throw new ReplicatorError(
          'source-short',
          `source must hold ${this.#totalSizeBytes} bytes, got ${this.#received}`,
        );
      const taken = Math.min(this.#piece.length, target.length - filled);
      target.set(this.#piece.subarray(0, taken), filled);
      this.#piece = this.#piece.subarray(taken);
      filled += taken;
    }
  }

  /** The next bytes where they lie, when a piece of the source holds them all; else in `memory`. Borrowed until the next call. */
  async take(sizeBytes: number, memory: () => Uint8Array): Promise<Uint8Array> {
    if (this.#piece.length === 0) await this.#next();
    if (this.#piece.length < sizeBytes) {
      const target = memory().subarray(0, sizeBytes);
      await this.fill(target);
      return target;
    }
    const taken = this.#piece.subarray(0, sizeBytes);
    this.#piece = this.#piece.subarray(sizeBytes);
    return taken;
  }

  /** Throws `ReplicatorError` 'source-long' when anything is left. */
  async end(): Promise<void> {
    while (this.#piece.length === 0) if (!(await this.#next())) return;
    throw new ReplicatorError(
      'source-long',
      `source must hold ${this.#totalSizeBytes} bytes, got at least ${this.#received}`,
    );
  }

  async #next(): Promise<boolean> {
    const { done, value } = await this.#pieces.next();
    if (done === true) return false;
    this.#piece = value;
    this.#received += value.length;
    return true;
  }
}

async function* asAsync(source: ByteSource): AsyncGenerator<Uint8Array> {
  yield* pieces(source);
}

/**
 * Yields exactly `totalSizeBytes` as chunks of `chunkSizeBytes` (the last may be shorter), each borrowed until the next is asked for.
 * Throws `ReplicatorError` 'source-short' or 'source-long' when the source holds another number of bytes.
 */
export async function* exactChunks(
  source: ByteSource,
  totalSizeBytes: number,
  chunkSizeBytes: number,
): AsyncGenerator<Uint8Array> {
  const carry = new Uint8Array(Math.min(chunkSizeBytes, totalSizeBytes));
  let carried = 0;
  let received = 0;
  for await (let piece of pieces(source)) {
    received += piece.length;
    if (received > totalSizeBytes)
      throw new ReplicatorError('source-long', `source must hold ${totalSizeBytes} bytes, got at least ${received}`);
    while (piece.length > 0) {
      if (carried === 0 && piece.length >= carry.length) {
        yield piece.subarray(0, carry.length);
        piece = piece.subarray(carry.length);
        continue;
      }
      const taken = Math.min(piece.length, carry.length - carried);
      carry.set(piece.subarray(0, taken), carried);
      carried += taken;
      piece = piece.subarray(taken);
      if (carried === carry.length) {
        yield carry;
        carried = 0;
      }
    }
  }
  if (received < totalSizeBytes)
    throw new ReplicatorError('source-short', `source must hold ${totalSizeBytes} bytes, got ${received}`);
  if (carried > 0) yield carry.subarray(0, carried);
}
