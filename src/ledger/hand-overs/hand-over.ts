/**
 * A hand-over: proof, for somebody who knows one electorate of a chain, of the next one. Bytes, and what they prove by themselves; whether they follow from what
 * is known: follow-hand-over.ts.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 1 |
 * | 1 | 3 | zero |
 * | 4 | 4 | size c of the certificate |
 * | 8 | 4 | size p of the state proof |
 * | 12 | 4 | number of members n, 1 .. 1024 |
 * | 16 | c | certificate: header of the child D of a block B, and votes for D (certificate.ts) |
 * | 16 + c | p | state proof of the electorate record in the state after B; its opaque header is B's (state-proof.ts) |
 * | 16 + c + p | 44 n | the list of members that the record's digest is of (electorate-record.ts) |
 *
 * Invariants
 * - What `readHandOver` returns holds together: D stands in the slot after its parent B, the record is live in B's state root, the list is the record's. It says nothing
 *   yet about who voted.
 * - At most `HAND_OVER_SIZE_BYTES_MAX`; one encoding for its parts.
 */
import { type Kernels, sameBytes } from '../../../native/index.ts';
import {
  decodeStateProof,
  encodeStateProof,
  type StateProof,
  StateProofError,
  verifyStateProof,
} from '../../../storage/commitment/state-proof.ts';
import {
  type BlockHeader,
  ByteReader,
  ByteWriter,
  type Certificate,
  CodecError,
  decodeCertificate,
  decodeHeader,
  encodeCertificate,
  HEADER_SIZE_BYTES,
  VOTE_SIZE_BYTES,
} from '../../codec/index.ts';
import type { Electorate } from '../../consensus/electorate.ts';
import {
  decodeElectorateRecord,
  decodeMembers,
  type ElectorateRecord,
  encodeMembers,
  MEMBER_SIZE_BYTES,
  MEMBERS_MAX,
  memberListDigest,
} from '../bonds/electorate-record.ts';
import { ELECTORATE_KEY } from '../bonds/keys.ts';
import { RecordError } from '../replication/record-error.ts';
import { followsDirectly } from './finality.ts';

const VERSION = 1;
const HEAD_SIZE_BYTES = 16;
const CERTIFICATE_SIZE_BYTES_MAX: number = 8 + HEADER_SIZE_BYTES + MEMBERS_MAX * VOTE_SIZE_BYTES;
/** A header, a small op, a chunk, two paths of at most 53 hashes. */
const PROOF_SIZE_BYTES_MAX = 4_096;
/** Longest hand-over: 1024 members, all of whom voted. */
export const HAND_OVER_SIZE_BYTES_MAX: number =
  HEAD_SIZE_BYTES + CERTIFICATE_SIZE_BYTES_MAX + PROOF_SIZE_BYTES_MAX + MEMBERS_MAX * MEMBER_SIZE_BYTES;

type ProofKernels = Pick<Kernels, 'sha256' | 'sha256Pairs'>;

/** Why a hand-over is refused. */
export type HandOverFault =
  /** The bytes are none. */
  | 'malformed'
  /** It is of another chain. */
  | 'chain'
  /** The certificate's block is no child of the block in the very next slot. */
  | 'link'
  /** The electorate record is not proven in the block's state. */
  | 'proof'
  /** The list is not the one that the record is of. */
  | 'list'
  /** It is not newer than what is known. */
  | 'replayed'
  /** An era between is missing. */
  | 'skipped'
  /** The set that both electorates share is not the same in them. */
  | 'members'
  /** Members are excluded, and more than half of all need not agree: nothing that could be shown to a stranger. */
  | 'floor'
  /** The votes are no quorum. */
  | 'votes';

/** A hand-over that does not hold. The message says why, for people. */
export class HandOverError extends Error {
  override readonly name = 'HandOverError';
  readonly code: HandOverFault;
  constructor(code: HandOverFault, message: string) {
    super(`hand-over: ${message}`);
    this.code = code;
  }
}

/** One that holds together. */
export interface HandOver {
  /** B: in its state the electorate stands. */
  readonly header: BlockHeader;
  /** D, and votes for it. */
  readonly certificate: Certificate;
  /** Who judges B's children. Without a secondary and the like, which change from block to block. */
  readonly electorate: Electorate;
  readonly bytes: Uint8Array;
}

/** What a hand-over is made of. */
export interface HandOverParts {
  readonly certificate: Certificate;
  /** Of the electorate record after the block; its header is the block's. */
  readonly proof: StateProof;
  readonly members: Electorate['members'];
}

/** The bytes of a hand-over. @throws CodecError, StateProofError for parts that make none */
export function encodeHandOver({ certificate, proof, members }: HandOverParts): Uint8Array {
  const parts = [encodeCertificate(certificate), encodeStateProof(proof), encodeMembers(members)];
  const [certificateBytes, proofBytes, list] = parts as [Uint8Array, Uint8Array, Uint8Array];
  const writer = new ByteWriter(HEAD_SIZE_BYTES + certificateBytes.length + proofBytes.length + list.length);
  writer.u8(VERSION, 'handOver.version');
  writer.zeros(3, 'handOver.reserved');
  writer.u32(certificateBytes.length, 'handOver.certificateSize');
  writer.u32(proofBytes.length, 'handOver.proofSize');
  writer.u32(members.length, 'handOver.members');
  for (const part of parts) writer.put(part, part.length, 'handOver.part');
  return writer.done('handOver');
}

/**
 * Reads a hand-over (hostile bytes, borrowed) and checks all that it proves by itself.
 * @param chainId of the chain it must be of
 * @throws HandOverError
 */
export function readHandOver(kernels: ProofKernels, chainId: Uint8Array, bytes: Uint8Array): HandOver {
  const { header, certificate, proof, list, count } = decoded(kernels, bytes);
  if (!sameBytes(header.chainId, chainId)) throw new HandOverError('chain', 'its block is of another chain');
  if (!followsDirectly(header, certificate))
    throw new HandOverError('link', `no child of block ${header.height} in the very next slot`);
  const record = provenRecord(kernels, proof, header);
  if (record.memberCount !== count || !sameBytes(memberListDigest(kernels, list), record.digest))
    throw new HandOverError('list', `the list is not the one recorded in the state after block ${header.height}`);
  const { epoch, era, majorityFloor } = record;
  const members = orMalformed(() => decodeMembers(list));
  const changing = { secondary: null, handOver: false, deposed: null };
  return { header, certificate, electorate: { epoch, era, members, majorityFloor, ...changing }, bytes };
}

interface Decoded {
  readonly header: BlockHeader;
  readonly certificate: Certificate;
  readonly proof: StateProof;
  readonly list: Uint8Array;
  readonly count: number;
}

function decoded(kernels: ProofKernels, bytes: Uint8Array): Decoded {
  return orMalformed(() => {
    const reader = new ByteReader(bytes);
    const version = reader.u8('handOver.version');
    if (version !== VERSION)
      throw new CodecError('version', 'handOver.version', `must be ${VERSION}, found ${version}`);
    reader.zeros(3, 'handOver.reserved');
    const certificateSize = atMost(reader.u32('handOver.certificateSize'), CERTIFICATE_SIZE_BYTES_MAX, 'certificate');
    const proofSize = atMost(reader.u32('handOver.proofSize'), PROOF_SIZE_BYTES_MAX, 'proof');
    const count = atMost(reader.u32('handOver.members'), MEMBERS_MAX, 'members');
    const certificate = decodeCertificate(kernels, reader.take(certificateSize, 'handOver.certificate'));
    const proof = decodeStateProof(reader.take(proofSize, 'handOver.proof'));
    const list = reader.take(count * MEMBER_SIZE_BYTES, 'handOver.members');
    reader.end('handOver');
    return { header: decodeHeader(kernels, proof.header), certificate, proof, list, count };
  });
}

function provenRecord(kernels: ProofKernels, proof: StateProof, header: BlockHeader): ElectorateRecord {
  const verdict = verifyStateProof(kernels, proof, header.stateRoot);
  if (!verdict.holds)
    throw new HandOverError('proof', `no proof of the state after block ${header.height} (${verdict.reason})`);
  const { entry } = verdict;
  if (entry.kind !== 'putRecord' || !sameBytes(entry.key, ELECTORATE_KEY))
    throw new HandOverError('proof', 'what is proven is not the electorate record');
  return orMalformed(() => decodeElectorateRecord(entry.value));
}

function atMost(value: number, max: number, field: string): number {
  if (value > max) throw new CodecError('size', `handOver.${field}`, `must be at most ${max}, found ${value}`);
  return value;
}

function orMalformed<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof CodecError || error instanceof StateProofError || error instanceof RecordError)
      throw new HandOverError('malformed', error.message);
    throw error;
  }
}
