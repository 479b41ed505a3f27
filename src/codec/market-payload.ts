/**
 * The market's payloads as bytes. Fields in the order of market-model.ts, integers little-endian; one encoding a value: lists ascend strictly, bits past
 * the last entry are zero, no sealed bit stands where nothing is said, no voter says nothing at all.
 */
import { address, amount, hash, signature } from '../../native/index.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import {
  LAPSED_MAX,
  type MarketPayload,
  type ReplicaName,
  SEATS_MAX,
  type SealedFindings,
  type SettledName,
  type UnsealPayload,
  VALIDATION_ENTRIES_MAX,
  VALIDATION_VOTERS_MAX,
  type ValidationsPayload,
  VERDICT_REASONS,
} from './market-model.ts';

const VRF_PROOF_SIZE_BYTES = 80;
const SIGNATURE_SIZE_BYTES = 64;
/** segment 4 + identity 20. */
const NAME_SIZE_BYTES = 24;
/** period 4 + entries 2 + voters 2. */
const VALIDATIONS_HEAD_SIZE_BYTES = 8;
const REPORT_HEAD_SIZE_BYTES = 4;
/** period 4 + secrets 2 + entries 2. */
const UNSEAL_HEAD_SIZE_BYTES = 8;
/** seat 2 + secret 32. */
const SECRET_SIZE_BYTES = 34;
/** name 24 + reason 1 + zero 1. */
const SETTLED_SIZE_BYTES = 26;

/** Bytes of the bit set over `count` entries. */
export function findingBitsSizeBytes(count: number): number {
  return Math.ceil(count / 8);
}

/** Bytes of one voter's part of a packet with `entries` entries. */
export function findingsSizeBytes(entries: number): number {
  return 2 + 32 + 2 * findingBitsSizeBytes(entries) + SIGNATURE_SIZE_BYTES;
}

/** Bytes of the largest payload of all: a validation packet that is full. */
export const MARKET_PAYLOAD_SIZE_BYTES_MAX: number =
  VALIDATIONS_HEAD_SIZE_BYTES +
  NAME_SIZE_BYTES * VALIDATION_ENTRIES_MAX +
  VALIDATION_VOTERS_MAX * findingsSizeBytes(VALIDATION_ENTRIES_MAX);

/** Bytes a payload takes. @throws CodecError `count` */
export function marketPayloadSizeBytes(payload: MarketPayload): number {
  switch (payload.kind) {
    case 'proveOpen':
      return 4 + 4 + VRF_PROOF_SIZE_BYTES + 32 + 32;
    case 'validations': {
      const entries = checkedCount(payload.entries.length, VALIDATION_ENTRIES_MAX, 'validations.entries');
      const voters = checkedCount(payload.voters.length, VALIDATION_VOTERS_MAX, 'validations.voters');
      return VALIDATIONS_HEAD_SIZE_BYTES + NAME_SIZE_BYTES * entries + findingsSizeBytes(entries) * voters;
    }
    case 'unseal':
      checkUnsealCounts(payload.secrets.length, payload.entries.length);
      return (
        UNSEAL_HEAD_SIZE_BYTES +
        SECRET_SIZE_BYTES * payload.secrets.length +
        SETTLED_SIZE_BYTES * payload.entries.length
      );
    case 'revealFake':
      return 4 + 4 + 32 + 32;
    case 'addDeposit':
      return 8;
    case 'retire':
      return 4;
    case 'reportLapsed':
      return (
        REPORT_HEAD_SIZE_BYTES +
        NAME_SIZE_BYTES * checkedCount(payload.entries.length, LAPSED_MAX, 'reportLapsed.entries')
      );
    case 'unregister':
    case 'withdrawDeposit':
      return 0;
  }
}

/** Writes a payload's `marketPayloadSizeBytes(payload)` bytes. @throws CodecError naming the field */
export function writeMarketPayload(writer: ByteWriter, payload: MarketPayload): void {
  switch (payload.kind) {
    case 'proveOpen':
      writer.u32(payload.segment, 'proveOpen.segment');
      writer.u32(payload.period, 'proveOpen.period');
      writer.put(payload.sampleProof, VRF_PROOF_SIZE_BYTES, 'proveOpen.sampleProof');
      writer.put(payload.samplesRoot, 32, 'proveOpen.samplesRoot');
      writer.put(payload.openingDigest, 32, 'proveOpen.openingDigest');
      return;
    case 'validations':
      writeValidations(writer, payload);
      return;
    case 'unseal':
      writeUnseal(writer, payload);
      return;
    case 'revealFake':
      writer.u32(payload.segment, 'revealFake.segment');
      writer.u32(payload.period, 'revealFake.period');
      writer.put(payload.secret, 32, 'revealFake.secret');
      writer.put(payload.restHash, 32, 'revealFake.restHash');
      return;
    case 'addDeposit':
      writer.u64(payload.amount, 'addDeposit.amount');
      return;
    case 'retire':
      writer.u32(payload.segment, 'retire.segment');
      return;
    case 'reportLapsed':
      writer.u16(checkedCount(payload.entries.length, LAPSED_MAX, 'reportLapsed.entries'), 'reportLapsed.entries');
      writer.zeros(2, 'reportLapsed.reserved');
      writeNames(writer, payload.entries, 'reportLapsed');
      return;
    case 'unregister':
    case 'withdrawDeposit':
      return;
  }
}

/** Reads the payload of a kind; byte strings are views of the reader's bytes. @throws CodecError */
export function readMarketPayload(reader: ByteReader, kind: MarketPayload['kind']): MarketPayload {
  switch (kind) {
    case 'proveOpen':
      return {
        kind,
        segment: reader.u32('proveOpen.segment'),
        period: reader.u32('proveOpen.period'),
        sampleProof: reader.take(VRF_PROOF_SIZE_BYTES, 'proveOpen.sampleProof'),
        samplesRoot: hash(reader.take(32, 'proveOpen.samplesRoot')),
        openingDigest: hash(reader.take(32, 'proveOpen.openingDigest')),
      };
    case 'validations':
      return readValidations(reader);
    case 'unseal':
      return readUnseal(reader);
    case 'revealFake':
      return {
        kind,
        segment: reader.u32('revealFake.segment'),
        period: reader.u32('revealFake.period'),
        secret: reader.take(32, 'revealFake.secret'),
        restHash: hash(reader.take(32, 'revealFake.restHash')),
      };
    case 'addDeposit':
      return { kind, amount: amount(reader.u64('addDeposit.amount')) };
    case 'retire':
      return { kind, segment: reader.u32('retire.segment') };
    case 'reportLapsed': {
      const count = checkedCount(reader.u16('reportLapsed.entries'), LAPSED_MAX, 'reportLapsed.entries');
      reader.zeros(2, 'reportLapsed.reserved');
      return { kind, entries: readNames(reader, count, 'reportLapsed') };
    }
    case 'unregister':
    case 'withdrawDeposit':
      return { kind };
  }
}

/** Writes replica names in their order, which must ascend. @throws CodecError `mismatch` */
export function writeNames(writer: ByteWriter, names: readonly ReplicaName[], field: string): void {
  checkAscending(names, field);
  for (const name of names) {
    writer.u32(name.segment, `${field}.segment`);
    writer.put(name.identity, 20, `${field}.identity`);
  }
}

function writeValidations(writer: ByteWriter, payload: ValidationsPayload): void {
  const { entries, voters } = payload;
  writer.u32(payload.period, 'validations.period');
  writer.u16(checkedCount(entries.length, VALIDATION_ENTRIES_MAX, 'validations.entries'), 'validations.entries');
  writer.u16(checkedCount(voters.length, VALIDATION_VOTERS_MAX, 'validations.voters'), 'validations.voters');
  writeNames(writer, entries, 'validations');
  const bitsSize = findingBitsSizeBytes(entries.length);
  for (const voter of voters) {
    writer.u16(voter.seat, 'validations.seat');
    writer.put(voter.seal, 32, 'validations.seal');
    writer.put(voter.spoken, bitsSize, 'validations.spoken');
    writer.put(voter.sealed, bitsSize, 'validations.sealed');
    writer.put(voter.signature, SIGNATURE_SIZE_BYTES, 'validations.signature');
  }
  checkVoters(voters, entries.length);
}

function readValidations(reader: ByteReader): ValidationsPayload {
  const period = reader.u32('validations.period');
  const entryCount = checkedCount(reader.u16('validations.entries'), VALIDATION_ENTRIES_MAX, 'validations.entries');
  const voterCount = checkedCount(reader.u16('validations.voters'), VALIDATION_VOTERS_MAX, 'validations.voters');
  const entries = readNames(reader, entryCount, 'validations');
  const bitsSize = findingBitsSizeBytes(entryCount);
  const voters = Array.from({ length: voterCount }, () => ({
    seat: reader.u16('validations.seat'),
    seal: hash(reader.take(32, 'validations.seal')),
    spoken: reader.take(bitsSize, 'validations.spoken'),
    sealed: reader.take(bitsSize, 'validations.sealed'),
    signature: signature(reader.take(SIGNATURE_SIZE_BYTES, 'validations.signature')),
  }));
  checkVoters(voters, entryCount);
  return { kind: 'validations', period, entries, voters };
}

function readNames(reader: ByteReader, count: number, field: string): ReplicaName[] {
  const names = Array.from({ length: count }, () => ({
    segment: reader.u32(`${field}.segment`),
    identity: address(reader.take(20, `${field}.identity`)),
  }));
  checkAscending(names, field);
  return names;
}

/** The order of replica names: by segment, then identity. Negative, 0 or positive. */
export function replicaNameOrder(a: ReplicaName, b: ReplicaName): number {
  return a.segment - b.segment || Buffer.compare(a.identity, b.identity);
}

function checkAscending(names: readonly ReplicaName[], field: string): void {
  for (let i = 1; i < names.length; i++)
    if (replicaNameOrder(names[i - 1]!, names[i]!) >= 0)
      throw new CodecError(
        'mismatch',
        `${field}.entries`,
        `entry ${i} must follow entry ${i - 1} by segment, then identity`,
      );
}

function checkVoters(voters: readonly SealedFindings[], entryCount: number): void {
  checkSeats(voters, 'validations.seat');
  for (const { spoken, sealed } of voters) {
    const problem = findingsProblem(spoken, sealed, entryCount);
    if (problem !== undefined) throw new CodecError('mismatch', 'validations.spoken', problem);
  }
}

function checkSeats(seats: readonly { readonly seat: number }[], field: string): void {
  let last = -1;
  for (const { seat } of seats) {
    if (seat <= last || seat >= SEATS_MAX)
      throw new CodecError(
        'range',
        field,
        `must ascend strictly and be below ${SEATS_MAX}, found ${seat} after ${last}`,
      );
    last = seat;
  }
}

/** What is wrong with one voter's bits; undefined when nothing is. Both sets have `findingBitsSizeBytes(entryCount)` bytes. */
export function findingsProblem(spoken: Uint8Array, sealed: Uint8Array, entryCount: number): string | undefined {
  const spare = entryCount % 8 === 0 ? 0 : 0xff & (0xff << (entryCount % 8));
  let any = 0;
  for (const [i, says] of spoken.entries()) {
    if ((sealed[i]! & ~says) !== 0) return `byte ${i} has a sealed bit of an entry that nothing is said of`;
    if (i === spoken.length - 1 && (says & spare) !== 0) return `bits past entry ${entryCount - 1} must be zero`;
    any |= says;
  }
  return any === 0 ? 'must say something of at least one entry' : undefined;
}

function writeUnseal(writer: ByteWriter, { period, secrets, entries }: UnsealPayload): void {
  checkUnsealCounts(secrets.length, entries.length);
  checkSeats(secrets, 'unseal.seat');
  checkAscending(entries, 'unseal');
  writer.u32(period, 'unseal.period');
  writer.u16(secrets.length, 'unseal.secrets');
  writer.u16(entries.length, 'unseal.entries');
  for (const { seat, secret } of secrets) {
    writer.u16(seat, 'unseal.seat');
    writer.put(secret, 32, 'unseal.secret');
  }
  for (const { segment, identity, reason } of entries) {
    writer.u32(segment, 'unseal.segment');
    writer.put(identity, 20, 'unseal.identity');
    writer.u8(VERDICT_REASONS.indexOf(reason), 'unseal.reason');
    writer.zeros(1, 'unseal.reserved');
  }
}

function readUnseal(reader: ByteReader): UnsealPayload {
  const period = reader.u32('unseal.period');
  const secretCount = reader.u16('unseal.secrets');
  const entryCount = reader.u16('unseal.entries');
  checkUnsealCounts(secretCount, entryCount);
  const secrets = Array.from({ length: secretCount }, () => ({
    seat: reader.u16('unseal.seat'),
    secret: hash(reader.take(32, 'unseal.secret')),
  }));
  checkSeats(secrets, 'unseal.seat');
  const entries = Array.from({ length: entryCount }, () => readSettled(reader));
  checkAscending(entries, 'unseal');
  return { kind: 'unseal', period, secrets, entries };
}

function readSettled(reader: ByteReader): SettledName {
  const segment = reader.u32('unseal.segment');
  const identity = address(reader.take(20, 'unseal.identity'));
  const byte = reader.u8('unseal.reason');
  const reason = VERDICT_REASONS[byte];
  if (reason === undefined)
    throw new CodecError('range', 'unseal.reason', `must be 0 .. ${VERDICT_REASONS.length - 1}, found ${byte}`);
  reader.zeros(1, 'unseal.reserved');
  return { segment, identity, reason };
}

/** Either list may be empty, not both. */
function checkUnsealCounts(secrets: number, entries: number): void {
  if (secrets > VALIDATION_VOTERS_MAX)
    throw new CodecError('count', 'unseal.secrets', `must be within 0 .. ${VALIDATION_VOTERS_MAX}, found ${secrets}`);
  if (entries > VALIDATION_ENTRIES_MAX)
    throw new CodecError('count', 'unseal.entries', `must be within 0 .. ${VALIDATION_ENTRIES_MAX}, found ${entries}`);
  if (secrets + entries === 0) throw new CodecError('count', 'unseal.secrets', 'must hold a secret or an entry');
}

function checkedCount(count: number, max: number, field: string): number {
  if (count < 1 || count > max) throw new CodecError('count', field, `must be within 1 .. ${max}, found ${count}`);
  return count;
}
