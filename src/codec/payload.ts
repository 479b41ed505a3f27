/**
 * The payloads of the transaction kinds: the bytes between a transaction's head (36 bytes) and its counter.
 *
 * Layouts: fields in the order of model.ts, integers little-endian (docs/format/packets.md). One encoding a value.
 * Those of proof of stake are in stake-payload.ts.
 */
import { height } from '../../native/index.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import type { Hasher } from './domain.ts';
import { readAddress, readAmount, readHash } from './fields.ts';
import {
  EVICTION_PATH_LENGTH_MAX,
  type Payload,
  type RevivePayload,
  TransactionKind,
  type TransactionKindName,
  VERDICTS_MAX,
  type Verdict,
  type VerdictsPayload,
  VRF_PROOF_SIZE_BYTES,
} from './model.ts';
import { readStakePayload, stakePayloadSizeBytes, writeStakePayload } from './stake-payload.ts';

const VERDICTS_HEAD_SIZE_BYTES = 4;
const VERDICT_SIZE_BYTES = 32;
/** index 8 + balance 8 + height 8 + length of the path 2 + zero 2. */
const REVIVE_HEAD_SIZE_BYTES = 28;
const PATH_STEP_SIZE_BYTES = 32;
/** segment 4 + rotation or period 4 + VRF proof 80 + root 32. */
const STORAGE_PAYLOAD_SIZE_BYTES: number = 4 + 4 + VRF_PROOF_SIZE_BYTES + 32;

/** Kind names by their byte. */
const KIND_NAMES: ReadonlyMap<number, TransactionKindName> = new Map(
  Object.entries(TransactionKind).map(([name, byte]) => [byte, name as TransactionKindName]),
);

/** The kind a byte names. @throws CodecError `kind` */
export function kindName(byte: number): TransactionKindName {
  const name = KIND_NAMES.get(byte);
  if (name === undefined)
    throw new CodecError(
      'kind',
      'transaction.kind',
      `must be one of ${[...KIND_NAMES.keys()].join(' ')}, found ${byte}`,
    );
  return name;
}

/** Bytes a payload takes. @throws CodecError `count` for too few or too many verdicts or path steps */
export function payloadSizeBytes(payload: Payload): number {
  switch (payload.kind) {
    case 'transfer':
      return 20 + 8;
    case 'timestamp':
      return 32;
    case 'register':
      return 8;
    case 'commit':
    case 'prove':
      return STORAGE_PAYLOAD_SIZE_BYTES;
    case 'verdicts':
      return VERDICTS_HEAD_SIZE_BYTES + VERDICT_SIZE_BYTES * checkedVerdictCount(payload.verdicts.length);
    case 'revive':
      return REVIVE_HEAD_SIZE_BYTES + PATH_STEP_SIZE_BYTES * pathLength(payload.path);
    default:
      return stakePayloadSizeBytes(payload);
  }
}

/** Writes a payload's `payloadSizeBytes(payload)` bytes. @throws CodecError naming the field */
export function writePayload(writer: ByteWriter, payload: Payload): void {
  switch (payload.kind) {
    case 'transfer':
      writer.put(payload.to, 20, 'transfer.to');
      writer.u64(payload.amount, 'transfer.amount');
      return;
    case 'timestamp':
      writer.put(payload.digest, 32, 'timestamp.digest');
      return;
    case 'register':
      writer.u64(payload.deposit, 'register.deposit');
      return;
    case 'commit':
      writer.u32(payload.segment, 'commit.segment');
      writer.u32(payload.rotation, 'commit.rotation');
      writer.put(payload.keyProof, VRF_PROOF_SIZE_BYTES, 'commit.keyProof');
      writer.put(payload.replicaRoot, 32, 'commit.replicaRoot');
      return;
    case 'prove':
      writer.u32(payload.segment, 'prove.segment');
      writer.u32(payload.period, 'prove.period');
      writer.put(payload.sampleProof, VRF_PROOF_SIZE_BYTES, 'prove.sampleProof');
      writer.put(payload.samplesRoot, 32, 'prove.samplesRoot');
      return;
    case 'verdicts':
      writeVerdicts(writer, payload);
      return;
    case 'revive':
      writeRevive(writer, payload);
      return;
    default:
      writeStakePayload(writer, payload);
  }
}

/** Reads the payload of a kind; byte strings are views of the reader's bytes. @throws CodecError */
export function readPayload(hasher: Hasher, reader: ByteReader, kind: TransactionKindName): Payload {
  switch (kind) {
    case 'transfer':
      return { kind, to: readAddress(reader, 'transfer.to'), amount: readAmount(reader, 'transfer.amount') };
    case 'timestamp':
      return { kind, digest: readHash(reader, 'timestamp.digest') };
    case 'register':
      return { kind, deposit: readAmount(reader, 'register.deposit') };
    case 'commit':
      return {
        kind,
        segment: reader.u32('commit.segment'),
        rotation: reader.u32('commit.rotation'),
        keyProof: reader.take(VRF_PROOF_SIZE_BYTES, 'commit.keyProof'),
        replicaRoot: readHash(reader, 'commit.replicaRoot'),
      };
    case 'prove':
      return {
        kind,
        segment: reader.u32('prove.segment'),
        period: reader.u32('prove.period'),
        sampleProof: reader.take(VRF_PROOF_SIZE_BYTES, 'prove.sampleProof'),
        samplesRoot: readHash(reader, 'prove.samplesRoot'),
      };
    case 'verdicts':
      return readVerdicts(reader);
    case 'revive':
      return readRevive(reader);
    default:
      return readStakePayload(hasher, reader, kind);
  }
}

function checkedVerdictCount(count: number): number {
  if (count < 1 || count > VERDICTS_MAX)
    throw new CodecError('count', 'verdicts.count', `must be within 1 .. ${VERDICTS_MAX}, found ${count}`);
  return count;
}

function writeVerdicts(writer: ByteWriter, payload: VerdictsPayload): void {
  writer.u16(payload.verdicts.length, 'verdicts.count');
  writer.zeros(2, 'verdicts.reserved');
  for (const verdict of payload.verdicts) {
    writer.put(verdict.identity, 20, 'verdict.identity');
    writer.u32(verdict.segment, 'verdict.segment');
    writer.u32(verdict.period, 'verdict.period');
    writer.u8(verdict.valid ? 1 : 0, 'verdict.valid');
    writer.zeros(3, 'verdict.reserved');
  }
}

function readVerdicts(reader: ByteReader): VerdictsPayload {
  const count = checkedVerdictCount(reader.u16('verdicts.count'));
  reader.zeros(2, 'verdicts.reserved');
  const verdicts = Array.from({ length: count }, () => readVerdict(reader));
  return { kind: 'verdicts', verdicts };
}

function readVerdict(reader: ByteReader): Verdict {
  const identity = readAddress(reader, 'verdict.identity');
  const segment = reader.u32('verdict.segment');
  const period = reader.u32('verdict.period');
  const valid = reader.u8('verdict.valid');
  if (valid > 1) throw new CodecError('range', 'verdict.valid', `must be 0 or 1, found ${valid}`);
  reader.zeros(3, 'verdict.reserved');
  return { identity, segment, period, valid: valid === 1 };
}

function checkedPathLength(steps: number): number {
  if (steps > EVICTION_PATH_LENGTH_MAX)
    throw new CodecError('count', 'revive.path', `must hold at most ${EVICTION_PATH_LENGTH_MAX} steps, found ${steps}`);
  return steps;
}

/** Steps of a path that is to be written. */
function pathLength(path: Uint8Array): number {
  if (path.length % PATH_STEP_SIZE_BYTES !== 0)
    throw new CodecError('length', 'revive.path', `must be a multiple of 32 bytes, found ${path.length}`);
  return checkedPathLength(path.length / PATH_STEP_SIZE_BYTES);
}

function writeRevive(writer: ByteWriter, payload: RevivePayload): void {
  writer.u53(payload.index, 'revive.index');
  writer.u64(payload.balance, 'revive.balance');
  writer.u53(payload.height, 'revive.height');
  writer.u16(pathLength(payload.path), 'revive.pathLength');
  writer.zeros(2, 'revive.reserved');
  writer.put(payload.path, payload.path.length, 'revive.path');
}

function readRevive(reader: ByteReader): RevivePayload {
  const index = reader.u53('revive.index');
  const balance = readAmount(reader, 'revive.balance');
  const evictedAt = height(reader.u53('revive.height'));
  const steps = checkedPathLength(reader.u16('revive.pathLength'));
  reader.zeros(2, 'revive.reserved');
  const path = reader.take(steps * PATH_STEP_SIZE_BYTES, 'revive.path');
  return { kind: 'revive', index, balance, height: evictedAt, path };
}
