/**
 * Votes, 264 bytes.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 8 | version = 1, then 7 zero bytes |
 * | 8 | 8 | sourceSlot |
 * | 16 | 32 | sourceHash |
 * | 48 | 8 | targetSlot |
 * | 56 | 32 | targetHash |
 * | 88 | 8 | pohCount |
 * | 96 | 32 | stateRoot |
 * | 128 | 8 | leavesSlot |
 * | 136 | 32 | leavesHash |
 * | 168 | 32 | voter |
 * | 200 | 64 | signature, over 'cairn/votes/1', the chain's id and the 200 bytes before it |
 *
 * The chain's id is signed but not sent: a vote of another chain has a signature that is not valid here, so a key that validates two chains cannot be
 * slashed on one for what it said on the other.
 *
 * The signed message is 245 bytes: a length no transaction's signed bytes can have (they are listed in docs/format/packets.md), so nobody
 * can be led to sign a vote by being asked to sign a transaction. test/codec/signed-messages.test.ts holds this.
 */
import { type Hash, pohCount, publicKey, signature, slot } from '../../native/index.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import { beforeSignature, SIGNATURE_SIZE_BYTES, VOTE_TAG } from './domain.ts';
import { readHash } from './fields.ts';
import type { Vote, VoteDraft } from './model.ts';
import type { SigningKey } from './signing.ts';

/** Size of an encoded vote. */
export const VOTE_SIZE_BYTES: number = 8 + (8 + 32) * 2 + (8 + 32) * 2 + 32 + SIGNATURE_SIZE_BYTES;

const VERSION = 1;

/** Encodes a signed vote's fields. @throws CodecError */
export function encodeVote(fields: Omit<Vote, 'bytes'>): Uint8Array {
  const writer = new ByteWriter(VOTE_SIZE_BYTES);
  writer.u8(VERSION, 'vote.version');
  writer.zeros(7, 'vote.reserved');
  writer.u53(fields.sourceSlot, 'vote.sourceSlot');
  writer.put(fields.sourceHash, 32, 'vote.sourceHash');
  writer.u53(fields.targetSlot, 'vote.targetSlot');
  writer.put(fields.targetHash, 32, 'vote.targetHash');
  writer.u53(fields.pohCount, 'vote.pohCount');
  writer.put(fields.stateRoot, 32, 'vote.stateRoot');
  writer.u53(fields.leavesSlot, 'vote.leavesSlot');
  writer.put(fields.leavesHash, 32, 'vote.leavesHash');
  writer.put(fields.voter, 32, 'vote.voter');
  writer.put(fields.signature, SIGNATURE_SIZE_BYTES, 'vote.signature');
  return writer.done('vote');
}

/** Signs a vote of a chain as `key`. The caller has persisted its decision first. @throws CodecError */
export function signVote(chainId: Hash, draft: VoteDraft, key: SigningKey): Vote {
  const unsigned = signature(new Uint8Array(SIGNATURE_SIZE_BYTES));
  const bytes = encodeVote({ ...draft, voter: key.publicKey, signature: unsigned });
  bytes.set(key.sign(messageOf(chainId, bytes)), bytes.length - SIGNATURE_SIZE_BYTES);
  return decodeVote(bytes);
}

/** Decodes exactly one vote (views of `bytes`); does not check its signature. @throws CodecError */
export function decodeVote(bytes: Uint8Array): Vote {
  const reader = new ByteReader(bytes);
  const vote = readVote(reader);
  reader.end('vote');
  return vote;
}

/** Reads the vote that starts here. @throws CodecError */
export function readVote(reader: ByteReader): Vote {
  const start = reader.offset;
  const version = reader.u8('vote.version');
  if (version !== VERSION) throw new CodecError('version', 'vote.version', `must be ${VERSION}, found ${version}`);
  reader.zeros(7, 'vote.reserved');
  return {
    sourceSlot: slot(reader.u53('vote.sourceSlot')),
    sourceHash: readHash(reader, 'vote.sourceHash'),
    targetSlot: slot(reader.u53('vote.targetSlot')),
    targetHash: readHash(reader, 'vote.targetHash'),
    pohCount: pohCount(reader.u53('vote.pohCount')),
    stateRoot: readHash(reader, 'vote.stateRoot'),
    leavesSlot: slot(reader.u53('vote.leavesSlot')),
    leavesHash: readHash(reader, 'vote.leavesHash'),
    voter: publicKey(reader.take(32, 'vote.voter')),
    signature: signature(reader.take(SIGNATURE_SIZE_BYTES, 'vote.signature')),
    bytes: reader.since(start),
  };
}

/** What a vote's signature covers: the tag, the chain's id and all bytes before the signature (a new array of 245 bytes). */
export function voteMessage(chainId: Hash, vote: Vote): Uint8Array {
  return messageOf(chainId, vote.bytes);
}

function messageOf(chainId: Hash, bytes: Uint8Array): Uint8Array {
  const signedSizeBytes = bytes.length - SIGNATURE_SIZE_BYTES;
  const message = new Uint8Array(VOTE_TAG.length + chainId.length + signedSizeBytes);
  message.set(VOTE_TAG);
  message.set(chainId, VOTE_TAG.length);
  message.set(beforeSignature(bytes), VOTE_TAG.length + chainId.length);
  return message;
}
