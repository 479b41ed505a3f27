/**
 * The PoH packet, 132 bytes: a leader's announcement of where its sequence stands. It only announces; the full hashes stand in the
 * block's header, and votes sign those.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 20 | first 20 bytes of the PoH hash |
 * | 20 | 8 | its count |
 * | 28 | 20 | first 20 bytes of the entries root |
 * | 48 | 20 | first 20 bytes of the state root |
 * | 68 | 64 | signature, over the 68 bytes before it |
 */
import { pohCount, signature } from '../../native/index.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { beforeSignature, SIGNATURE_SIZE_BYTES } from './domain.ts';
import { type BlockHeaderDraft, type PohPacket, type PohPacketDraft, SHORT_HASH_SIZE_BYTES } from './model.ts';
import type { SigningKey } from './signing.ts';

/** Size of an encoded PoH packet. */
export const POH_PACKET_SIZE_BYTES: number = SHORT_HASH_SIZE_BYTES * 3 + 8 + SIGNATURE_SIZE_BYTES;

/** Encodes a signed PoH packet's fields. @throws CodecError */
export function encodePohPacket(fields: Omit<PohPacket, 'bytes'>): Uint8Array {
  const writer = new ByteWriter(POH_PACKET_SIZE_BYTES);
  writer.put(fields.pohHash, SHORT_HASH_SIZE_BYTES, 'pohPacket.pohHash');
  writer.u53(fields.pohCount, 'pohPacket.pohCount');
  writer.put(fields.entriesRoot, SHORT_HASH_SIZE_BYTES, 'pohPacket.entriesRoot');
  writer.put(fields.stateRoot, SHORT_HASH_SIZE_BYTES, 'pohPacket.stateRoot');
  writer.put(fields.signature, SIGNATURE_SIZE_BYTES, 'pohPacket.signature');
  return writer.done('pohPacket');
}

/** What a leader announces about a block: its header's hashes, cut to 20 bytes (views). */
export function pohPacketDraft(header: BlockHeaderDraft): PohPacketDraft {
  const short = (bytes: Uint8Array) => bytes.subarray(0, SHORT_HASH_SIZE_BYTES);
  return {
    pohHash: short(header.pohHash),
    pohCount: header.pohCount,
    entriesRoot: short(header.entriesRoot),
    stateRoot: short(header.stateRoot),
  };
}

/** Signs an announcement. @throws CodecError */
export function signPohPacket(draft: PohPacketDraft, key: SigningKey): PohPacket {
  const bytes = encodePohPacket({ ...draft, signature: signature(new Uint8Array(SIGNATURE_SIZE_BYTES)) });
  bytes.set(key.sign(beforeSignature(bytes)), bytes.length - SIGNATURE_SIZE_BYTES);
  return decodePohPacket(bytes);
}

/** Decodes exactly one PoH packet (views of `bytes`); does not check its signature. @throws CodecError */
export function decodePohPacket(bytes: Uint8Array): PohPacket {
  const reader = new ByteReader(bytes);
  const packet: PohPacket = {
    pohHash: reader.take(SHORT_HASH_SIZE_BYTES, 'pohPacket.pohHash'),
    pohCount: pohCount(reader.u53('pohPacket.pohCount')),
    entriesRoot: reader.take(SHORT_HASH_SIZE_BYTES, 'pohPacket.entriesRoot'),
    stateRoot: reader.take(SHORT_HASH_SIZE_BYTES, 'pohPacket.stateRoot'),
    signature: signature(reader.take(SIGNATURE_SIZE_BYTES, 'pohPacket.signature')),
    bytes,
  };
  reader.end('pohPacket');
  return packet;
}
