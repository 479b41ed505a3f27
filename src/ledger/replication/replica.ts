/**
 * The replica record: one for each (segment, identity) that has ever committed. It holds the commit of one rotation, the last proof
 * (under that commit, or one that was decided under the one before) with the sealed findings on it, and counters since the first commit. With the identity record and the designated hashes it is
 * all a validator needs to check the proof.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | version = 3 |
 * | 1 | 1 | proof state: 0 none, 1 pending, 2 accepted, 3 rejected, 4 revealed |
 * | 2 | 2 | v: number of seats, 1 .. 1024 |
 * | 4 | 4 | rotation of the commit |
 * | 8 | 8 | slot of the block that holds the commit |
 * | 16 | 80 | key proof |
 * | 96 | 32 | replica root |
 * | 128 | 4 | commits so far |
 * | 132 | 4 | proofs accepted |
 * | 136 | 4 | proofs rejected |
 * | 140 | 4 | proofs expired: replaced before they were settled |
 * | 144 | 4 | next period: 1 + the period of the last proof; before the first the lowest that may be proven |
 * | 148 | 4 | proven next: the first period whose proof still lacks; misses are counted from it |
 * | 152 | 8 | since: slot of the block with the first commit |
 * | 160 | 4 | rewards paid |
 * | 164 | 1 | reason of the last rejection (codec: VERDICT_REASONS), 0 when there was none or none was stated |
 * | 165 | 3 | zero |
 * | 168 | 8 | slot of the block that holds the proof |
 * | 176 | 80 | sample proof |
 * | 256 | 32 | samples root |
 * | 288 | 32 | digest of the openings |
 * | 320 | b | spoken: bit i % 8 of byte i / 8 is set when seat i has sealed a finding on it; b = ceil(v / 8) |
 * | 320 + b | b | sealed: likewise, the finding (1 valid) XOR its mask (codec: seal.ts) |
 *
 * Invariants: without a proof, everything from 168 on is zero; bits past v are zero, and so are sealed bits of seats that have not spoken.
 */
import { type Address, type Hash, hash, type Slot, slot } from '../../../native/index.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import { type ByteReader, ByteWriter, CodecError, VERDICT_REASONS, type VerdictReason } from '../../codec/index.ts';
import { VALIDATORS_MAX } from '../genesis-schema.ts';
import type { Overlay } from '../overlay.ts';
import { decodeRecord } from './record-error.ts';
import { REPLICA_PREFIX, replicaKey, replicaOfKey, segmentPrefix } from './record-key.ts';

const VERSION = 3;
const HEAD_SIZE_BYTES = 168;
const PROOF_SIZE_BYTES: number = 8 + 80 + 32 + 32;
const U32_MAX = 0xffff_ffff;
const PROOF_STATES = ['none', 'pending', 'accepted', 'rejected', 'revealed'] as const;

/** `none`: no proof yet, or one that expired undecided when its commit was replaced. */
export type ProofState = (typeof PROOF_STATES)[number];

/** The last proof, under the current commit or decided under the one before. */
export interface ReplicaProof {
  readonly state: Exclude<ProofState, 'none'>;
  /** Slot of the block that holds it. */
  readonly slot: Slot;
  /** ECVRF proof, 80 bytes. */
  readonly sampleProof: Uint8Array;
  /** Zero in mode open. */
  readonly samplesRoot: Hash;
  /** Zero in mode stream. */
  readonly openingDigest: Hash;
  /** Bit sets over the seats, ceil(validatorCount / 8) bytes each. */
  readonly spoken: Uint8Array;
  readonly sealed: Uint8Array;
}

export interface ReplicaRecord {
  readonly validatorCount: number;
  readonly rotation: number;
  readonly commitSlot: Slot;
  /** ECVRF proof, 80 bytes. */
  readonly keyProof: Uint8Array;
  readonly replicaRoot: Hash;
  readonly commits: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly expired: number;
  /** Lowest period that may still be proven: 1 + that of the last proof under any commit. */
  readonly nextPeriod: number;
  /** The first period whose proof still lacks; misses are counted from it. */
  readonly provenNext: number;
  /** Slot of the block with the first commit: the older, the sooner paid. */
  readonly since: Slot;
  /** Rewards paid so far. */
  readonly paid: number;
  /** Why the last proof that was rejected was. */
  readonly reason: VerdictReason;
  readonly proof: ReplicaProof | null;
}

/** A replica record with what its key says. */
export interface Replica {
  readonly segment: number;
  readonly identity: Address;
  readonly record: ReplicaRecord;
}

/** Bytes of one bit set. */
export function bitsSizeBytes(validatorCount: number): number {
  return Math.ceil(validatorCount / 8);
}

/** Size of an encoded replica record: 320 + 2 * ceil(v / 8), at most 576. */
export function replicaRecordSizeBytes(validatorCount: number): number {
  return HEAD_SIZE_BYTES + PROOF_SIZE_BYTES + 2 * bitsSizeBytes(validatorCount);
}

/** A counter one higher, staying at the largest u32. */
export function counted(counter: number): number {
  return Math.min(counter + 1, U32_MAX);
}

export function encodeReplica(record: ReplicaRecord): Uint8Array {
  const { proof, validatorCount } = record;
  const writer = new ByteWriter(replicaRecordSizeBytes(validatorCount));
  writer.u8(VERSION, 'version');
  writer.u8(PROOF_STATES.indexOf(proof === null ? 'none' : proof.state), 'proofState');
  writer.u16(validatorCount, 'validatorCount');
  writer.u32(record.rotation, 'rotation');
  writer.u53(record.commitSlot, 'commitSlot');
  writer.put(record.keyProof, 80, 'keyProof');
  writer.put(record.replicaRoot, 32, 'replicaRoot');
  writer.u32(record.commits, 'commits');
  writer.u32(record.accepted, 'accepted');
  writer.u32(record.rejected, 'rejected');
  writer.u32(record.expired, 'expired');
  writer.u32(record.nextPeriod, 'nextPeriod');
  writer.u32(record.provenNext, 'provenNext');
  writer.u53(record.since, 'since');
  writer.u32(record.paid, 'paid');
  writer.u8(VERDICT_REASONS.indexOf(record.reason), 'reason');
  writer.zeros(3, 'reserved');
  const bitsSize = bitsSizeBytes(validatorCount);
  if (proof === null) writer.zeros(PROOF_SIZE_BYTES + 2 * bitsSize, 'proof');
  else {
    writer.u53(proof.slot, 'proof.slot');
    writer.put(proof.sampleProof, 80, 'proof.sampleProof');
    writer.put(proof.samplesRoot, 32, 'proof.samplesRoot');
    writer.put(proof.openingDigest, 32, 'proof.openingDigest');
    writer.put(proof.spoken, bitsSize, 'proof.spoken');
    writer.put(proof.sealed, bitsSize, 'proof.sealed');
  }
  return writer.done('replica');
}

/** @param value borrowed: the result's byte strings are views @throws RecordError */
export function decodeReplica(value: Uint8Array): ReplicaRecord {
  return decodeRecord('replica', value, (reader) => {
    const version = reader.u8('version');
    if (version !== VERSION) throw new CodecError('version', 'version', `must be ${VERSION}, found ${version}`);
    const state = PROOF_STATES[reader.u8('proofState')];
    if (state === undefined) throw new CodecError('range', 'proofState', 'must be 0 .. 4');
    const validatorCount = reader.u16('validatorCount');
    if (validatorCount < 1 || validatorCount > VALIDATORS_MAX)
      throw new CodecError('range', 'validatorCount', `must be 1 .. ${VALIDATORS_MAX}, found ${validatorCount}`);
    const head = {
      validatorCount,
      rotation: reader.u32('rotation'),
      commitSlot: slot(reader.u53('commitSlot')),
      keyProof: reader.take(80, 'keyProof'),
      replicaRoot: hash(reader.take(32, 'replicaRoot')),
      commits: reader.u32('commits'),
      accepted: reader.u32('accepted'),
      rejected: reader.u32('rejected'),
      expired: reader.u32('expired'),
      nextPeriod: reader.u32('nextPeriod'),
      provenNext: reader.u32('provenNext'),
      since: slot(reader.u53('since')),
      paid: reader.u32('paid'),
      reason: reasonOf(reader.u8('reason')),
    };
    reader.zeros(3, 'reserved');
    return { ...head, proof: readProof(reader, state, validatorCount) };
  });
}

function readProof(reader: ByteReader, state: ProofState, validatorCount: number): ReplicaProof | null {
  const bitsSize = bitsSizeBytes(validatorCount);
  if (state === 'none') {
    reader.zeros(PROOF_SIZE_BYTES + 2 * bitsSize, 'proof');
    return null;
  }
  const proofSlot = slot(reader.u53('proof.slot'));
  const sampleProof = reader.take(80, 'proof.sampleProof');
  const samplesRoot = hash(reader.take(32, 'proof.samplesRoot'));
  const openingDigest = hash(reader.take(32, 'proof.openingDigest'));
  const spoken = reader.take(bitsSize, 'proof.spoken');
  const sealed = reader.take(bitsSize, 'proof.sealed');
  checkBits(spoken, sealed, validatorCount);
  return { state, slot: proofSlot, sampleProof, samplesRoot, openingDigest, spoken, sealed };
}

function checkBits(spoken: Uint8Array, sealed: Uint8Array, validatorCount: number): void {
  const spare = validatorCount % 8 === 0 ? 0 : 0xff & (0xff << (validatorCount % 8));
  if ((spoken.at(-1)! & spare) !== 0)
    throw new CodecError('reserved', 'proof.spoken', `bits past validator ${validatorCount - 1} must be zero`);
  if (sealed.some((byte, index) => (byte & ~spoken[index]!) !== 0))
    throw new CodecError('mismatch', 'proof.sealed', 'a sealed bit of a seat that has not spoken');
}

function reasonOf(byte: number): VerdictReason {
  const reason = VERDICT_REASONS[byte];
  if (reason === undefined)
    throw new CodecError('range', 'reason', `must be 0 .. ${VERDICT_REASONS.length - 1}, found ${byte}`);
  return reason;
}

/** Writes a replica's record. */
export function putReplica(overlay: Overlay, segment: number, identity: Uint8Array, record: ReplicaRecord): void {
  overlay.putRecord(replicaKey(segment, identity), encodeReplica(record));
}

/** The record of one identity's replica of one segment, or undefined. @throws RecordError */
export function readReplica(state: StateReader, segment: number, identity: Uint8Array): ReplicaRecord | undefined {
  const value = state.record(replicaKey(segment, identity));
  return value === undefined ? undefined : decodeReplica(value);
}

/** All replicas, of one segment if given, in order of segment, then address. @throws RecordError */
export function* readReplicas(state: StateReader, segment?: number): Iterable<Replica> {
  const prefix = segment === undefined ? REPLICA_PREFIX : segmentPrefix(segment);
  for (const [key, value] of state.records(prefix)) yield { ...replicaOfKey(key), record: decodeReplica(value) };
}
