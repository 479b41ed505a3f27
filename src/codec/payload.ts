/**
 * The payloads of the transaction kinds: the bytes between a transaction's head (36 bytes) and its counter.
 *
 * Layouts: fields in the order of model.ts, integers little-endian (docs/format/packets.md). One encoding a value.
 * Those of proof of stake are in stake-payload.ts, those of the replication market in market-payload.ts.
 */
import { height } from '../../native/index.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import type { Hasher } from './domain.ts';
import { readAddress, readAmount, readHash } from './fields.ts';
import { marketPayloadSizeBytes, readMarketPayload, writeMarketPayload } from './market-payload.ts';
import {
  EVICTION_PATH_LENGTH_MAX,
  type Payload,
  type RevivePayload,
  TransactionKind,
  type TransactionKindName,
  VRF_PROOF_SIZE_BYTES,
} from './model.ts';
import {
  isStakeKind,
  isStakePayload,
  readStakePayload,
  stakePayloadSizeBytes,
  writeStakePayload,
} from './stake-payload.ts';

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
    throw new CodecError('kind', 'transaction.kind', `must be one of ${[...KIND_NAMES.keys()]}, found ${byte}`);
  return name;
}

/** Bytes a payload takes. @throws CodecError `count` for too many path steps, or a market list of the wrong length */
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
    case 'revive':
      return REVIVE_HEAD_SIZE_BYTES + PATH_STEP_SIZE_BYTES * pathLength(payload.path);
    default:
      return isStakePayload(payload) ? stakePayloadSizeBytes(payload) : marketPayloadSizeBytes(payload);
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
    case 'revive':
      writeRevive(writer, payload);
      return;
    default:
      if (isStakePayload(payload)) writeStakePayload(writer, payload);
      else writeMarketPayload(writer, payload);
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
    case 'revive':
      return readRevive(reader);
    default:
      return isStakeKind(kind) ? readStakePayload(hasher, reader, kind) : readMarketPayload(reader, kind);
  }
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
