/**
 * The kernel interface: the few loops where the machine is the limit, behind one face with two twins.
 *
 * Invariants
 * - Both twins give byte-identical results; one shared suite runs over both.
 * - Every function works on buffers the caller owns, checks every length on the TypeScript side, and throws
 *   `TypeError` on a wrong one, never crashes. Inputs are borrowed for the call; outputs are written in place.
 * - Nothing here blocks longer than its input demands: callers slice long work (a PoH slice, a segment chunk).
 * - Batches cross the border once: parallel arrays packed in one Uint8Array, item i at i * itemSize.
 */

/** Which implementation serves a group of kernels, and why, for `cairn doctor`. */
export interface KernelPath {
  /** e.g. `sha256.chain` */
  readonly kernel: string;
  /** e.g. `c++ sha-ni`, `wasm`, `noble`, `node:crypto` */
  readonly path: string;
  /** why this path was chosen, in a short sentence */
  readonly reason: string;
}

/** A file mapped into memory (native), or held in memory and written back (portable). */
export interface MappedFile {
  /** The file's bytes; valid until `close`. Never transfer it to another thread. */
  readonly bytes: Uint8Array;
  /** Makes every change so far durable; throws on failure. Blocks: call it from a worker, or at a checkpoint. */
  sync(): void;
  /** Unmaps without syncing. Idempotent; `bytes` must not be touched afterwards. */
  close(): void;
}

export interface Kernels {
  readonly name: 'native' | 'portable';
  readonly paths: readonly KernelPath[];

  /** SHA-256 of `data` into a new 32-byte array. */
  sha256(data: Uint8Array): Uint8Array;
  /** Steps a PoH hash in place: `state = SHA256(state)`, `count` times (0 .. 2^31 - 1). `state`: 32 bytes. */
  sha256Chain(state: Uint8Array, count: number): void;
  /**
   * Checks n consecutive stretches of PoH. Stretch i starts at `hashes[i]`, makes `steps[i]` steps (>= 1), the last of
   * which mixes in `mixins[i]` when `hasMixin[i]` is 1 (`SHA256(h || mixin)`), and must end at `hashes[i + 1]`.
   * Independent stretches are interleaved for speed.
   * @param hashes (n + 1) * 32 bytes @param steps n @param hasMixin n @param mixins n * 32 bytes
   * @returns index of the first stretch that is wrong, or -1
   */
  pohVerify(hashes: Uint8Array, steps: Uint32Array, hasMixin: Uint8Array, mixins: Uint8Array): number;
  /** Merkle nodes: out[i] = SHA256(prefix || pairs[i]); `pairs` n * 64 bytes, `out` n * 32. `prefix`: one byte, 0..255. */
  sha256Pairs(prefix: number, pairs: Uint8Array, out: Uint8Array): void;
  /**
   * Merkle leaves of equal size: out[i] = SHA256(prefix || data[i * leafSize ..]). The last leaf may be shorter
   * (data.length need not be a multiple of leafSize). `out`: ceil(data.length / leafSize) * 32 bytes.
   */
  sha256Leaves(prefix: number, data: Uint8Array, leafSizeBytes: number, out: Uint8Array): void;
  /**
   * Merkle leaves of varying size: out[i] = SHA256(prefix || data[offsets[i] .. offsets[i + 1]]).
   * `offsets`: n + 1 ascending, the last at most data.length. `out`: n * 32 bytes.
   */
  sha256Ragged(prefix: number, data: Uint8Array, offsets: Uint32Array, out: Uint8Array): void;

  /**
   * Ed25519 by the one rule of this project: S < L; A and R canonical and not of small order; cofactorless equation,
   * comparing R's bytes. Signature i covers messages[offsets[i] .. offsets[i + 1]].
   * @param publicKeys n * 32 @param signatures n * 64 @param offsets n + 1 ascending @param verdicts n, written 1 or 0
   */
  ed25519Verify(
    publicKeys: Uint8Array,
    signatures: Uint8Array,
    messages: Uint8Array,
    offsets: Uint32Array,
    verdicts: Uint8Array,
  ): void;

  /**
   * AES-256-CBC without padding. `chain` (16 bytes) is the IV on entry and the last cipher block on return, so a stream
   * can be fed in pieces. `input.length` is a multiple of 16 and equals `output.length`; they may be the same buffer.
   */
  aesCbcEncrypt(key: Uint8Array, chain: Uint8Array, input: Uint8Array, output: Uint8Array): void;
  /** Inverse of `aesCbcEncrypt`; `chain` is the cipher block before `input`, and its last block on return. */
  aesCbcDecrypt(key: Uint8Array, chain: Uint8Array, input: Uint8Array, output: Uint8Array): void;
  /**
   * One plaintext under n identities at once. `keys` n * 32, `chains` n * 16 (updated), `outputs` n * input.length:
   * identity i's ciphertext at i * input.length.
   */
  aesCbcEncryptMany(keys: Uint8Array, chains: Uint8Array, input: Uint8Array, outputs: Uint8Array): void;

  /** CRC-32C (Castagnoli), continuing from `seed` (0 for a fresh one). Returns an unsigned 32-bit number. */
  crc32c(data: Uint8Array, seed?: number): number;
  /** out[i] = RIPEMD-160(keys[i]); `keys` n * 32, `out` n * 20. */
  ripemd160Keys(keys: Uint8Array, out: Uint8Array): void;

  /**
   * Finds n addresses in an open-addressing table shard of 2^slotCountLog2 slots of 32 bytes
   * (address 20, balance u64, log position u32, little-endian; a slot whose log position is 0 is empty).
   * Linear probing from `SipHash-1-3(secret, address) & (slots - 1)`.
   * @param table 32 << slotCountLog2 bytes @param secret 16 bytes @param addresses n * 20
   * @param slots n, written: the slot's index when found, else -1 - (index of the empty slot where it would go)
   */
  tableFind(
    table: Uint8Array,
    slotCountLog2: number,
    secret: Uint8Array,
    addresses: Uint8Array,
    slots: Int32Array,
  ): void;
  /**
   * Inserts or overwrites n entries in order (a later one wins).
   * @param entries n * 32 bytes in the slot's layout, each log position > 0
   * @returns how many were new. Throws `RangeError` before writing past 50 % full; entries before that stay written.
   */
  tablePut(table: Uint8Array, slotCountLog2: number, secret: Uint8Array, used: number, entries: Uint8Array): number;

  /**
   * Maps `sizeBytes` (a multiple of 4096, at most 1 GiB) of a file, creating and preallocating it when `create`.
   * Throws an Error with `code` (ENOSPC, ENOENT, ...) when the file cannot be had.
   */
  mapFile(path: string, sizeBytes: number, options: { create: boolean }): MappedFile;
}
