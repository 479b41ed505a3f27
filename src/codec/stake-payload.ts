/**
 * The payloads of proof of stake (kinds 8 .. 15): bonds, evidence, secondaries, hand-over, decoys.
 *
 * Layouts (docs/format/packets.md): fields in the order of model.ts, integers little-endian.
 *
 * | evidence offset | bytes | field |
 * |---|---|---|
 * | 0 | 1 | offence: 0 doubleVote, 1 surroundVote, 2 doubleProposal, 3 decoyVote |
 * | 1 | 7 | zero |
 * | 8 | | 0 and 1: two votes; 2: two headers; 3: secret 32, vote |
 *
 * Whether something is an offence, and who signed it, is the ledger's to judge: here is form only.
 */
import { slot } from '../../native/index.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import type { Hasher } from './domain.ts';
import { readAmount, readPublicKey } from './fields.ts';
import { HEADER_SIZE_BYTES, readHeader } from './header.ts';
import { DECOY_SECRET_SIZE_BYTES, type Offence, type StakePayload } from './model.ts';
import { readVote, VOTE_SIZE_BYTES } from './vote.ts';

const OFFENCE_HEAD_SIZE_BYTES = 8;
const Offences = { doubleVote: 0, surroundVote: 1, doubleProposal: 2, decoyVote: 3 } as const;

/** Bytes a payload takes. */
export function stakePayloadSizeBytes(payload: StakePayload): number {
  switch (payload.kind) {
    case 'bond':
      return 8;
    case 'unbond':
    case 'withdraw':
    case 'handOver':
      return 0;
    case 'evidence':
      return OFFENCE_HEAD_SIZE_BYTES + offenceSizeBytes(payload.offence);
    case 'nominate':
      return 32 + 8;
    case 'approve':
      return 32;
    case 'revealDecoy':
      return HEADER_SIZE_BYTES + DECOY_SECRET_SIZE_BYTES;
  }
}

/** Writes a payload's bytes; votes and headers go in as they are. @throws CodecError naming the field */
export function writeStakePayload(writer: ByteWriter, payload: StakePayload): void {
  switch (payload.kind) {
    case 'bond':
      writer.u64(payload.amount, 'bond.amount');
      return;
    case 'unbond':
    case 'withdraw':
    case 'handOver':
      return;
    case 'evidence':
      writeOffence(writer, payload.offence);
      return;
    case 'nominate':
      writer.put(payload.secondary, 32, 'nominate.secondary');
      writer.u53(payload.deadlineSlot, 'nominate.deadlineSlot');
      return;
    case 'approve':
      writer.put(payload.secondary, 32, 'approve.secondary');
      return;
    case 'revealDecoy':
      writer.put(payload.header.bytes, HEADER_SIZE_BYTES, 'revealDecoy.header');
      writer.put(payload.secret, DECOY_SECRET_SIZE_BYTES, 'revealDecoy.secret');
      return;
  }
}

/** Reads the payload of a kind; byte strings are views of the reader's bytes. @throws CodecError */
export function readStakePayload(hasher: Hasher, reader: ByteReader, kind: StakePayload['kind']): StakePayload {
  switch (kind) {
    case 'bond':
      return { kind, amount: readAmount(reader, 'bond.amount') };
    case 'unbond':
    case 'withdraw':
    case 'handOver':
      return { kind };
    case 'evidence':
      return { kind, offence: readOffence(hasher, reader) };
    case 'nominate':
      return {
        kind,
        secondary: readPublicKey(reader, 'nominate.secondary'),
        deadlineSlot: slot(reader.u53('nominate.deadlineSlot')),
      };
    case 'approve':
      return { kind, secondary: readPublicKey(reader, 'approve.secondary') };
    case 'revealDecoy': {
      const header = readHeader(hasher, reader);
      return { kind, header, secret: reader.take(DECOY_SECRET_SIZE_BYTES, 'revealDecoy.secret') };
    }
  }
}

function offenceSizeBytes(offence: Offence): number {
  switch (offence.kind) {
    case 'doubleVote':
    case 'surroundVote':
      return 2 * VOTE_SIZE_BYTES;
    case 'doubleProposal':
      return 2 * HEADER_SIZE_BYTES;
    case 'decoyVote':
      return DECOY_SECRET_SIZE_BYTES + VOTE_SIZE_BYTES;
  }
}

function writeOffence(writer: ByteWriter, offence: Offence): void {
  writer.u8(Offences[offence.kind], 'evidence.offence');
  writer.zeros(7, 'evidence.reserved');
  if (offence.kind === 'decoyVote') {
    writer.put(offence.secret, DECOY_SECRET_SIZE_BYTES, 'evidence.secret');
    writer.put(offence.vote.bytes, VOTE_SIZE_BYTES, 'evidence.vote');
    return;
  }
  const sizeBytes = offenceSizeBytes(offence) / 2;
  writer.put(offence.first.bytes, sizeBytes, 'evidence.first');
  writer.put(offence.second.bytes, sizeBytes, 'evidence.second');
}

function readOffence(hasher: Hasher, reader: ByteReader): Offence {
  const kind = reader.u8('evidence.offence');
  reader.zeros(7, 'evidence.reserved');
  switch (kind) {
    case Offences.doubleVote:
      return { kind: 'doubleVote', first: readVote(reader), second: readVote(reader) };
    case Offences.surroundVote:
      return { kind: 'surroundVote', first: readVote(reader), second: readVote(reader) };
    case Offences.doubleProposal:
      return { kind: 'doubleProposal', first: readHeader(hasher, reader), second: readHeader(hasher, reader) };
    case Offences.decoyVote: {
      const secret = reader.take(DECOY_SECRET_SIZE_BYTES, 'evidence.secret');
      return { kind: 'decoyVote', secret, vote: readVote(reader) };
    }
    default:
      throw new CodecError('kind', 'evidence.offence', `must be within 0 .. 3, found ${kind}`);
  }
}
