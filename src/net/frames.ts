/**
 * The bytes of a request stream (docs/format/network.md).
 *
 *   request    u32 size, then `size` bytes                                   size <= FRAME_SIZE_BYTES_MAX
 *   response   records, each one of
 *                frame    u32 size, then `size` bytes                        size <= FRAME_SIZE_BYTES_MAX
 *                refusal  u32 0xffff_fffe, u8 code, u16 size, `size` bytes of UTF-8     size <= REFUSAL_SIZE_BYTES_MAX; last
 *                end      u32 0xffff_ffff                                    last
 *
 * Invariants
 * - The end of a response is written out, so a response cut short by a lost connection is never taken for a whole one.
 * - Nothing is allocated by a size that a peer only announced: a frame grows as its bytes arrive, and its announced size is checked first.
 */
import type { Duplex } from './duplex.ts';
import { FRAME_SIZE_BYTES_MAX, TransportError } from './transport.ts';

const END_MARK = 0xffff_ffff;
const REFUSAL_MARK = 0xffff_fffe;
export const REFUSAL_SIZE_BYTES_MAX = 1024;

/** Why a peer refused, as a byte on the wire. */
export const RefusalCode = { internal: 1, busy: 2, malformed: 3, tooLarge: 4, fault: 5, unsupported: 6 } as const;
export type RefusalCodeName = keyof typeof RefusalCode;

/** Thrown by a reader for bytes that break this format or its maxima: always the sender's doing. */
export class FrameFault extends TransportError {
  declare readonly code: 'malformed' | 'too-large';
}

export type ResponseRecord =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'refusal'; readonly code: RefusalCodeName; readonly message: string }
  | { readonly kind: 'end' };

/** The chunks of one frame: its size, then the bytes themselves (borrowed). Throws `too-large`. */
export function frameChunks(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length > FRAME_SIZE_BYTES_MAX)
    throw new TransportError('too-large', `frame of ${bytes.length} bytes is over the maximum ${FRAME_SIZE_BYTES_MAX}`);
  return bytes.length === 0 ? [u32(0)] : [u32(bytes.length), bytes];
}

export function endChunk(): Uint8Array {
  return u32(END_MARK);
}

/** A refusal record; the message is cut to REFUSAL_SIZE_BYTES_MAX bytes. */
export function refusalChunk(code: RefusalCodeName, message: string): Uint8Array {
  const text = new TextEncoder().encode(message).subarray(0, REFUSAL_SIZE_BYTES_MAX);
  const bytes = new Uint8Array(7 + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, REFUSAL_MARK, true);
  view.setUint8(4, RefusalCode[code]);
  view.setUint16(5, text.length, true);
  bytes.set(text, 7);
  return bytes;
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

/** Told about bytes taken up for a frame; may throw to refuse them. */
export type BufferAccount = (sizeBytes: number) => void;

/** First allocation for a frame; it doubles as bytes arrive, up to the frame's size. */
const FRAME_START_SIZE_BYTES = 65_536;

/** Cuts a duplex's bytes into frames and records. Every answer is a fresh array. */
export class FrameReader {
  readonly #duplex: Duplex;
  readonly #account: BufferAccount;
  /** What the last read brought beyond the frame that was asked for. */
  #rest: Uint8Array | null = null;

  constructor(duplex: Duplex, account: BufferAccount = () => {}) {
    this.#duplex = duplex;
    this.#account = account;
  }

  /** The request frame. Throws `malformed`, `too-large`, `closed`, or what the account throws. */
  async request(): Promise<Uint8Array> {
    const size = await this.#u32();
    if (size > FRAME_SIZE_BYTES_MAX)
      throw new FrameFault('too-large', `request frame of ${size} bytes is over the maximum ${FRAME_SIZE_BYTES_MAX}`);
    return this.#take(size);
  }

  /** The next record of a response. @param sizeBytesMax largest frame still allowed. Throws as `request`. */
  async record(sizeBytesMax: number): Promise<ResponseRecord> {
    const size = await this.#u32();
    if (size === END_MARK) return { kind: 'end' };
    if (size === REFUSAL_MARK) return this.#refusal();
    if (size > FRAME_SIZE_BYTES_MAX)
      throw new FrameFault('too-large', `response frame of ${size} bytes is over the maximum ${FRAME_SIZE_BYTES_MAX}`);
    if (size > sizeBytesMax)
      throw new FrameFault('too-large', `response frame of ${size} bytes, only ${sizeBytesMax} more were allowed`);
    return { kind: 'frame', bytes: await this.#take(size) };
  }

  async #refusal(): Promise<ResponseRecord> {
    const head = await this.#take(3);
    const code = refusalName(head[0]!);
    const size = head[1]! | (head[2]! << 8);
    if (code === undefined) throw new FrameFault('malformed', `refusal code ${head[0]} is not known`);
    if (size > REFUSAL_SIZE_BYTES_MAX) throw new FrameFault('malformed', `refusal text of ${size} bytes`);
    return { kind: 'refusal', code, message: new TextDecoder().decode(await this.#take(size)) };
  }

  async #u32(): Promise<number> {
    const bytes = await this.#take(4);
    return (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
  }

  async #take(sizeBytes: number): Promise<Uint8Array> {
    let out = new Uint8Array(Math.min(sizeBytes, FRAME_START_SIZE_BYTES));
    let filled = 0;
    while (filled < sizeBytes) {
      const chunk = await this.#chunk(filled, sizeBytes);
      const part = chunk.subarray(0, sizeBytes - filled);
      this.#rest = part.length < chunk.length ? chunk.subarray(part.length) : null;
      this.#account(part.length);
      if (filled + part.length > out.length) out = grown(out, filled, filled + part.length, sizeBytes);
      out.set(part, filled);
      filled += part.length;
    }
    return out;
  }

  async #chunk(filled: number, wanted: number): Promise<Uint8Array> {
    const chunk = this.#rest ?? (await this.#duplex.read());
    if (chunk === null)
      throw new FrameFault('malformed', `stream ended inside a frame: ${filled} of ${wanted} bytes were there`);
    return chunk;
  }
}

/** A copy of the first `used` bytes with room for `needed`, at least twice the old room, at most `sizeBytesMax`. */
function grown(bytes: Uint8Array, used: number, needed: number, sizeBytesMax: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(sizeBytesMax, Math.max(needed, bytes.length * 2)));
  larger.set(bytes.subarray(0, used));
  return larger;
}

function refusalName(code: number): RefusalCodeName | undefined {
  return (Object.keys(RefusalCode) as RefusalCodeName[]).find((name) => RefusalCode[name] === code);
}
