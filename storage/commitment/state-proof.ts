/**
 * State proofs: one account, bond or record is so, in the state with a known root. Verified offline and portably, in any order of trust.
 *
 * The proof has the op that set the key, its path in the ops tree, and the chunk of the activity bitmap with its bit, and that one's
 * path. A verifier hashes the two roots out of them, hashes them with the counts to the state root, and finds the bit set: no later
 * op has the key. `header` is opaque here: the caller hashes it, trusts it, and reads the state root to compare with out of it.
 *
 *   offset  bytes  field
 *   0       8      magic "CAIRNSTP"
 *   8       2      version u16 = 1
 *   10      2      header size h, u16
 *   12      2      op size o, u16
 *   14      2      zero
 *   16      8      op number u64
 *   24      8      op count u64
 *   32      8      floor u64
 *   40      h      header
 *           o      op: its bytes in the batch, padding included
 *           32 a   op path, lowest sibling first; a follows from op number and op count (RFC 9162 section 2.1.3)
 *           32     chunk
 *           32 b   chunk path; b follows from op number / 256 and op count / 256
 *
 * Invariants: one encoding per proof; nothing behind it.
 */
import { type Hash, type Kernels, sameBytes } from '../../native/index.ts';
import { BATCH_HEAD_SIZE_BYTES, BatchError, decodeBatch } from '../oplog/batch.ts';
import { RECORD_KEY_SIZE_BYTES_MAX, RECORD_VALUE_SIZE_BYTES_MAX, type StateOp } from '../state-reader.ts';
import { CHUNK_OPS, CHUNK_SIZE_BYTES } from './activity-tree.ts';
import { rootFromInclusion } from './inclusion.ts';
import { HASH_SIZE_BYTES, leafHash } from './merkle.ts';
import { rangeProofCounts } from './range-proof.ts';
import { stateRoot } from './state-root.ts';

const MAGIC: Uint8Array = new TextEncoder().encode('CAIRNSTP');
const VERSION = 1;
const PROOF_HEAD_SIZE_BYTES = 40;
/** A record with the longest key and value. */
const OP_SIZE_BYTES_MAX: number = 4 + RECORD_KEY_SIZE_BYTES_MAX + RECORD_VALUE_SIZE_BYTES_MAX;
const HEADER_SIZE_BYTES_MAX = 0xffff;
/** Longest encoding: header and op at their longest, two paths of 53 steps. */
export const STATE_PROOF_SIZE_BYTES_MAX: number =
  PROOF_HEAD_SIZE_BYTES + HEADER_SIZE_BYTES_MAX + OP_SIZE_BYTES_MAX + CHUNK_SIZE_BYTES + 2 * 53 * HASH_SIZE_BYTES;

/** What a proof says; how its parts are made is for `CommitmentTrees.stateProof`. */
export interface StateProof {
  /** Where the state root is found and trusted: opaque bytes, at most 65,535. */
  readonly header: Uint8Array;
  /** Ops of the log. */
  readonly opCount: number;
  readonly floor: number;
  readonly opNumber: number;
  /** The op's bytes, as they stand in its batch. */
  readonly op: Uint8Array;
  /** Packed, lowest sibling first. */
  readonly opPath: Uint8Array;
  /** 32 bytes. */
  readonly chunk: Uint8Array;
  readonly chunkPath: Uint8Array;
}

export type StateProofErrorCode = 'length' | 'magic' | 'version' | 'reserved' | 'header-size' | 'op-size' | 'counts';

/** Bytes that are no state proof, or parts that make none. */
export class StateProofError extends Error {
  override readonly name = 'StateProofError';
  readonly code: StateProofErrorCode;
  constructor(code: StateProofErrorCode, message: string) {
    super(`state proof: ${message}`);
    this.code = code;
  }
}

/** What a proven op sets. */
export type ProvenEntry = Extract<StateOp, { kind: 'putAccount' | 'putRecord' | 'putBond' }>;

/** Why a proof does not hold. */
export type StateProofRefusal =
  /** The op's bytes are no op. */
  | 'op'
  /** The op is no put. */
  | 'op-kind'
  /** A path that does not fit its tree. */
  | 'path'
  /** The bit of the op is 0: its key has a later op. */
  | 'inactive'
  /** The counts contradict each other. */
  | 'counts'
  /** Everything leads to another state root. */
  | 'root';

export type StateProofVerdict =
  | { readonly holds: true; readonly entry: ProvenEntry }
  | { readonly holds: false; readonly reason: StateProofRefusal };

/** Bytes of both paths. */
function pathSizes(opNumber: number, opCount: number): { op: number; chunk: number } {
  const steps = (index: number, size: number): number => {
    const { left, right } = rangeProofCounts(index, index + 1, size);
    return left + right;
  };
  return {
    op: HASH_SIZE_BYTES * steps(opNumber, opCount),
    chunk: HASH_SIZE_BYTES * steps(Math.floor(opNumber / CHUNK_OPS), Math.ceil(opCount / CHUNK_OPS)),
  };
}

const countsFit = ({ floor, opNumber, opCount }: Pick<StateProof, 'floor' | 'opNumber' | 'opCount'>): boolean =>
  [floor, opNumber, opCount].every(Number.isSafeInteger) && 0 <= floor && floor <= opNumber && opNumber < opCount;

/** The canonical encoding (see the head of this file). Throws `StateProofError` when the parts do not fit each other. */
export function encodeStateProof(proof: StateProof): Uint8Array {
  const { header, op, opPath, chunk, chunkPath } = proof;
  if (!countsFit(proof)) throw new StateProofError('counts', 'floor <= op number < op count does not hold');
  const sizes = pathSizes(proof.opNumber, proof.opCount);
  if (opPath.length !== sizes.op || chunkPath.length !== sizes.chunk || chunk.length !== CHUNK_SIZE_BYTES)
    throw new StateProofError('length', 'the paths or the chunk have other lengths than op number and op count say');
  checkSizes(header.length, op.length);
  const parts = [header, op, opPath, chunk, chunkPath];
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, PROOF_HEAD_SIZE_BYTES));
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint16(8, VERSION, true);
  view.setUint16(10, header.length, true);
  view.setUint16(12, op.length, true);
  view.setBigUint64(16, BigInt(proof.opNumber), true);
  view.setBigUint64(24, BigInt(proof.opCount), true);
  view.setBigUint64(32, BigInt(proof.floor), true);
  let at = PROOF_HEAD_SIZE_BYTES;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function checkSizes(header: number, op: number): void {
  if (header > HEADER_SIZE_BYTES_MAX)
    throw new StateProofError('header-size', `the header is ${header} bytes, at most ${HEADER_SIZE_BYTES_MAX} fit`);
  if (op === 0 || op % 4 !== 0 || op > OP_SIZE_BYTES_MAX)
    throw new StateProofError('op-size', `the op is ${op} bytes: no multiple of 4 within 4 .. ${OP_SIZE_BYTES_MAX}`);
}

/** Reads an encoding; the bytes may be hostile, and the parts are views of them. Throws `StateProofError`. Proves nothing yet. */
export function decodeStateProof(bytes: Uint8Array): StateProof {
  if (bytes.length < PROOF_HEAD_SIZE_BYTES)
    throw new StateProofError('length', `a proof has at least ${PROOF_HEAD_SIZE_BYTES} bytes, got ${bytes.length}`);
  if (!sameBytes(bytes.subarray(0, 8), MAGIC)) throw new StateProofError('magic', 'the first 8 bytes are not CAIRNSTP');
  const view = new DataView(bytes.buffer, bytes.byteOffset, PROOF_HEAD_SIZE_BYTES);
  const version = view.getUint16(8, true);
  if (version !== VERSION) throw new StateProofError('version', `version must be ${VERSION}, got ${version}`);
  if (view.getUint16(14, true) !== 0) throw new StateProofError('reserved', 'bytes 14 and 15 must be zero');
  const [opNumber, opCount, floor] = [16, 24, 32].map((at) => Number(view.getBigUint64(at, true)));
  const counts = { opNumber: opNumber!, opCount: opCount!, floor: floor! };
  if (!countsFit(counts))
    throw new StateProofError('counts', 'floor <= op number < op count <= 2^53 - 1 does not hold');
  return { ...counts, ...readParts(bytes, view.getUint16(10, true), view.getUint16(12, true), counts) };
}

type Counts = Pick<StateProof, 'floor' | 'opNumber' | 'opCount'>;

/** The parts behind the head, whose lengths must be all there is. */
function readParts(bytes: Uint8Array, header: number, op: number, counts: Counts): Omit<StateProof, keyof Counts> {
  checkSizes(header, op);
  const paths = pathSizes(counts.opNumber, counts.opCount);
  const expected = PROOF_HEAD_SIZE_BYTES + header + op + paths.op + CHUNK_SIZE_BYTES + paths.chunk;
  if (bytes.length !== expected)
    throw new StateProofError('length', `by its head the proof has ${expected} bytes, got ${bytes.length}`);
  let at = PROOF_HEAD_SIZE_BYTES;
  const take = (size: number): Uint8Array => {
    at += size;
    return bytes.subarray(at - size, at);
  };
  return {
    header: take(header),
    op: take(op),
    opPath: take(paths.op),
    chunk: take(CHUNK_SIZE_BYTES),
    chunkPath: take(paths.chunk),
  };
}

/** The state root that a proof leads to; undefined when a path does not fit its tree. Everything may be hostile. */
export function stateRootOfProof(
  kernels: Pick<Kernels, 'sha256' | 'sha256Pairs'>,
  proof: StateProof,
): Hash | undefined {
  const { opNumber, opCount, floor } = proof;
  const chunkCount = Math.ceil(opCount / CHUNK_OPS);
  const opsRoot = rootFromInclusion(kernels, leafHash(kernels, proof.op), opNumber, opCount, proof.opPath);
  const chunk = leafHash(kernels, proof.chunk);
  const activityRoot = rootFromInclusion(kernels, chunk, Math.floor(opNumber / CHUNK_OPS), chunkCount, proof.chunkPath);
  if (opsRoot === undefined || activityRoot === undefined) return undefined;
  return stateRoot(kernels, { opsRoot, activityRoot, opCount, floor });
}

/**
 * Checks a proof against a state root that the caller trusts. Everything but the root may be hostile. Never throws for what a proof
 * says; `header` is not looked at.
 */
export function verifyStateProof(
  kernels: Pick<Kernels, 'sha256' | 'sha256Pairs'>,
  proof: StateProof,
  trustedRoot: Uint8Array,
): StateProofVerdict {
  if (!countsFit(proof)) return { holds: false, reason: 'counts' };
  const entry = readEntry(proof.op);
  if (typeof entry === 'string') return { holds: false, reason: entry };
  const root = stateRootOfProof(kernels, proof);
  if (root === undefined || proof.chunk.length !== CHUNK_SIZE_BYTES) return { holds: false, reason: 'path' };
  if (!sameBytes(root, trustedRoot)) return { holds: false, reason: 'root' };
  const bit = proof.opNumber % CHUNK_OPS;
  if ((proof.chunk[Math.floor(bit / 8)]! & (1 << (bit % 8))) === 0) return { holds: false, reason: 'inactive' };
  return { holds: true, entry };
}

/** An op's bytes, read as the one op of a batch. */
function readEntry(op: Uint8Array): ProvenEntry | StateProofRefusal {
  const batch = new Uint8Array(BATCH_HEAD_SIZE_BYTES + op.length);
  batch[OP_COUNT_AT] = 1;
  batch.set(op, BATCH_HEAD_SIZE_BYTES);
  try {
    const entry = decodeBatch(batch).ops[0]!;
    return entry.kind === 'putAccount' || entry.kind === 'putRecord' || entry.kind === 'putBond' ? entry : 'op-kind';
  } catch (error) {
    if (error instanceof BatchError) return 'op';
    throw error;
  }
}

/** Where a batch's head has its op count. */
const OP_COUNT_AT = 8;
