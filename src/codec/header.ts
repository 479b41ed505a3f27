/**
 * Block headers, 336 bytes. The leader signs 'cairn/header/1' || bytes 0..271; the block's hash is SHA-256('cairn/block/1' || bytes 0..335).
 *
 * Invariant: one hash, one string of bytes. The signature is under the hash because a key's owner can sign one message in many valid ways, and
 * whoever holds another signature under the same hash would hold another history, and other segment roots.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 8 | version = 1, then 7 zero bytes |
 * | 8 | 32 | chainId |
 * | 40 | 8 | height |
 * | 48 | 8 | slot |
 * | 56 | 32 | parentHash |
 * | 88 | 8 | pohCount |
 * | 96 | 32 | pohHash |
 * | 128 | 32 | entriesRoot |
 * | 160 | 4 | transactionCount |
 * | 164 | 4 | segmentCount |
 * | 168 | 32 | stateRoot |
 * | 200 | 8 | historyLength |
 * | 208 | 32 | segmentsRoot |
 * | 240 | 32 | leader |
 * | 272 | 64 | signature |
 */
import { height, pohCount, publicKey, signature, slot } from '../../native/index.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import {
  BLOCK_TAG,
  beforeSignature,
  type Hasher,
  HEADER_TAG,
  SIGNATURE_SIZE_BYTES,
  tagged,
  taggedHash,
} from './domain.ts';
import { readHash } from './fields.ts';
import type { BlockHeader, BlockHeaderDraft } from './model.ts';
import type { SigningKey } from './signing.ts';

/** Size of an encoded header. */
export const HEADER_SIZE_BYTES = 336;

const VERSION = 1;

/** Encodes a signed header's fields. @throws CodecError */
export function encodeHeader(fields: Omit<BlockHeader, 'bytes' | 'hash'>): Uint8Array {
  const writer = new ByteWriter(HEADER_SIZE_BYTES);
  writer.u8(VERSION, 'header.version');
  writer.zeros(7, 'header.reserved');
  writer.put(fields.chainId, 32, 'header.chainId');
  writer.u53(fields.height, 'header.height');
  writer.u53(fields.slot, 'header.slot');
  writer.put(fields.parentHash, 32, 'header.parentHash');
  writer.u53(fields.pohCount, 'header.pohCount');
  writer.put(fields.pohHash, 32, 'header.pohHash');
  writer.put(fields.entriesRoot, 32, 'header.entriesRoot');
  writer.u32(fields.transactionCount, 'header.transactionCount');
  writer.u32(fields.segmentCount, 'header.segmentCount');
  writer.put(fields.stateRoot, 32, 'header.stateRoot');
  writer.u53(fields.historyLength, 'header.historyLength');
  writer.put(fields.segmentsRoot, 32, 'header.segmentsRoot');
  writer.put(fields.leader, 32, 'header.leader');
  writer.put(fields.signature, SIGNATURE_SIZE_BYTES, 'header.signature');
  return writer.done('header');
}

/** Signs a header as the slot's leader. @throws CodecError when a value does not fit its field */
export function signHeader(hasher: Hasher, draft: BlockHeaderDraft, key: SigningKey): BlockHeader {
  const unsigned = signature(new Uint8Array(SIGNATURE_SIZE_BYTES));
  const bytes = encodeHeader({ ...draft, leader: key.publicKey, signature: unsigned });
  bytes.set(key.sign(headerMessage(bytes)), bytes.length - SIGNATURE_SIZE_BYTES);
  return decodeHeader(hasher, bytes);
}

/** What a header's leader signs. @param bytes the whole header, signed or not */
export function headerMessage(bytes: Uint8Array): Uint8Array {
  return tagged(HEADER_TAG, beforeSignature(bytes));
}

/** Decodes exactly one header (views of `bytes`) and computes its hash; does not check its signature. @throws CodecError */
export function decodeHeader(hasher: Hasher, bytes: Uint8Array): BlockHeader {
  const reader = new ByteReader(bytes);
  const header = readHeader(hasher, reader);
  reader.end('header');
  return header;
}

/** Reads the header that starts here. @throws CodecError */
export function readHeader(hasher: Hasher, reader: ByteReader): BlockHeader {
  const start = reader.offset;
  const version = reader.u8('header.version');
  if (version !== VERSION) throw new CodecError('version', 'header.version', `must be ${VERSION}, found ${version}`);
  reader.zeros(7, 'header.reserved');
  const fields = {
    chainId: readHash(reader, 'header.chainId'),
    height: height(reader.u53('header.height')),
    slot: slot(reader.u53('header.slot')),
    parentHash: readHash(reader, 'header.parentHash'),
    pohCount: pohCount(reader.u53('header.pohCount')),
    pohHash: readHash(reader, 'header.pohHash'),
    entriesRoot: readHash(reader, 'header.entriesRoot'),
    transactionCount: reader.u32('header.transactionCount'),
    segmentCount: reader.u32('header.segmentCount'),
    stateRoot: readHash(reader, 'header.stateRoot'),
    historyLength: reader.u53('header.historyLength'),
    segmentsRoot: readHash(reader, 'header.segmentsRoot'),
    leader: publicKey(reader.take(32, 'header.leader')),
  };
  const signed = signature(reader.take(SIGNATURE_SIZE_BYTES, 'header.signature'));
  const bytes = reader.since(start);
  return { ...fields, signature: signed, bytes, hash: taggedHash(hasher, BLOCK_TAG, bytes) };
}
