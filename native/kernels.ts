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

/**
 * An open-addressing table as its kernels see it: 2^s shards, each 2^k lines of 64 bytes, a line being two slots of 32 bytes or one of 64.
 *
 *   slot: address 20, value (8 or 40 bytes), log position u32 (0: empty, 2^32 - 1: deleted)
 *
 * A key's SipHash-1-3 under `secret` gives its shard (low bits) and its home line (high bits); a probe goes on line by line from there.
 * So lines come in the order of hashes, and a shard moves into a larger table line by line (`tableMove`): keys whose old home lies within
 * `moved` lines from `start` on are in the new table, all others still in the old one. Every kernel finds them in either.
 */
export interface TableShards {
  readonly slotSizeBytes: 32 | 64;
  /** 16 bytes. */
  readonly secret: Uint8Array;
  /**
   * 1 .. 256 tables, a power of two; each of a power of two of bytes, 128 .. 2^30, 4-byte aligned, or empty: then the shard is held elsewhere, and every
   * kernel passes its keys by, as if they were not there. Make a new object instead of changing the list.
   */
  readonly tables: readonly Uint8Array[];
  /** For each shard the table it moves out of, at most as large; empty when it does not move. */
  readonly olds: readonly Uint8Array[];
  /** Four words a shard: accounts, deleted slots, first old line moved, old lines moved. The kernels keep them up to date. */
  readonly state: Uint32Array;
}

/** Memory on its way from one thread's arena to another's: post it as it is, with `transfer` as the list of what is transferred. */
export interface GivenTable {
  readonly memory: number | Uint8Array;
  readonly transfer: readonly ArrayBuffer[];
}

/** Memory for tables, outside of JavaScript's heap where the twin can. */
export interface TableArena {
  /** Zeroed bytes; a power of two within 4096 .. 2^30. Throws `TableMemoryError` when the system has none. */
  allocate(sizeBytes: number): Uint8Array;
  /** Gives bytes back; they must not be touched any more. Never transfer them to another thread. */
  release(bytes: Uint8Array): void;
  /**
   * Hands bytes of this arena over to another thread's of the same twin: they must not be touched here any more. Somebody must `take` them, once, or
   * they stay for ever. Throws `TypeError` for bytes that are not of this arena. Both twins have it; whoever stands in for one need not.
   */
  give?(bytes: Uint8Array): GivenTable;
  /** The bytes that another thread gave. Throws `TypeError` when there are none (taken already). */
  take?(memory: GivenTable['memory']): Uint8Array;
  /** Gives everything back. Idempotent. */
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

  /**
   * `aesCbcEncryptMany` that keeps only the cipher blocks asked for: in the time of the encryption alone, whatever the number of identities.
   * @param wanted a block of `input`, then an identity, for each; blocks ascend. In memory of this thread alone @param out 16 bytes for each
   */
  aesCbcSampleMany(keys: Uint8Array, chains: Uint8Array, input: Uint8Array, wanted: Uint32Array, out: Uint8Array): void;
  /**
   * `aesCbcEncrypt` of n inputs of one length (0 .. 16 of them) that also hashes leaves, SHA256(prefix || leaf), of what goes in and of what comes out: where
   * the CPU allows it, one in the time that its chain takes alone, and two in little more than one. The length is a multiple of `leafSizeBytes`, which is one of
   * 16; outputs lie apart from all else. Inputs may be the same.
   * @param keys n * 32 @param chains n * 16, updated @param inputHashes n times 32 bytes a leaf @param outputHashes likewise
   */
  aesCbcEncryptLeaves(
    keys: Uint8Array,
    chains: Uint8Array,
    inputs: readonly Uint8Array[],
    outputs: readonly Uint8Array[],
    prefix: number,
    leafSizeBytes: number,
    inputHashes: Uint8Array,
    outputHashes: Uint8Array,
  ): void;

  /** CRC-32C (Castagnoli), continuing from `seed` (0 for a fresh one). Returns an unsigned 32-bit number. */
  crc32c(data: Uint8Array, seed?: number): number;
  /** out[i] = RIPEMD-160(keys[i]); `keys` n * 32, `out` n * 20. */
  ripemd160Keys(keys: Uint8Array, out: Uint8Array): void;

  /**
   * Copies a field of n keys' slots. Key i is the 20 bytes at `keys[i * strideBytes]`.
   * @param strideBytes a multiple of 4, 20 .. 1024
   * @param at first byte of the field in the slot @param sizeBytes its length, with `at` a multiple of 4
   * @param out n * sizeBytes, written: zeros for a key that is not there. Throws `RangeError` on a damaged table, as all of these do.
   */
  tableRead(
    shards: TableShards,
    keys: Uint8Array,
    strideBytes: number,
    at: number,
    sizeBytes: number,
    out: Uint8Array,
  ): void;
  /**
   * Inserts or overwrites n records in order (a later one wins). Record i is a key and its value at `records[i * strideBytes]`,
   * `slotSizeBytes - 4` bytes in all, so a run of putAccount ops is read where it stands.
   * @param position log position of the first, 1 .. 2^32 - 2; the following ones count up, and from 2^32 - 2 go on at 1
   * Throws `RangeError` when a shard would pass half full (of its old table, while it moves); any part may be written then.
   */
  tablePut(shards: TableShards, records: Uint8Array, strideBytes: number, count: number, position: number): void;
  /** Marks n keys deleted: found by probing, read as absent, taken over by the next put of the same key. Keys that are not there stay so. */
  tableDelete(shards: TableShards, keys: Uint8Array, strideBytes: number, count: number): void;
  /** Adds to `missing[shard]` how many of n keys have no entry, deleted ones among them; equal ones count each time. @param missing one for each shard */
  tableMissing(shards: TableShards, keys: Uint8Array, strideBytes: number, count: number, missing: Uint32Array): void;
  /** Moves at least `lines` lines of a moving shard; deleted slots stay behind. @returns true when the old table is empty */
  tableMove(shards: TableShards, shard: number, lines: number): boolean;
  /** Memory for the tables of one owner. */
  tableArena(): TableArena;
}
