/**
 * Domain-separated hashes: SHA-256(ASCII tag || bytes), so that no digest of one kind can be passed off as another.
 */
import { type Hash, hash, type Kernels } from '../../native/index.ts';

/** What the codec hashes with: any kernels will do. */
export type Hasher = Pick<Kernels, 'sha256'>;

const ascii = new TextEncoder();

/** Tag of a block's hash: SHA-256(tag || header bytes, the signature included). */
export const BLOCK_TAG: Uint8Array = ascii.encode('cairn/block/1');
/** Tag in front of what a leader signs: the header's bytes before the signature. */
export const HEADER_TAG: Uint8Array = ascii.encode('cairn/header/1');
/** Tag in front of what a voter signs: the chain's id, and the vote's bytes before the signature. */
export const VOTE_TAG: Uint8Array = ascii.encode('cairn/votes/1');

/** Tag of a decoy's state root. */
export const DECOY_TAG: Uint8Array = ascii.encode('cairn/decoy/1');

/** `tag || bytes`, as a new array. */
export function tagged(tag: Uint8Array, bytes: Uint8Array): Uint8Array {
  const message = new Uint8Array(tag.length + bytes.length);
  message.set(tag);
  message.set(bytes, tag.length);
  return message;
}

/** Where short messages are put together to be hashed: hashing keeps nothing of them. */
const ROOM = new Uint8Array(new ArrayBuffer(1024));

/** SHA-256(tag || bytes). */
export function taggedHash(hasher: Hasher, tag: Uint8Array, bytes: Uint8Array): Hash {
  const sizeBytes = tag.length + bytes.length;
  if (sizeBytes > ROOM.length) return hash(hasher.sha256(tagged(tag, bytes)));
  ROOM.set(tag);
  ROOM.set(bytes, tag.length);
  return hash(hasher.sha256(ROOM.subarray(0, sizeBytes)));
}

/** The state root of a decoy: SHA-256('cairn/decoy/1' || chain id || secret). No execution gives it. @param secret 32 bytes */
export function decoyRoot(hasher: Hasher, chainId: Uint8Array, secret: Uint8Array): Hash {
  return taggedHash(hasher, DECOY_TAG, tagged(chainId, secret));
}

/** Size of an Ed25519 signature, the tail of every signed packet. */
export const SIGNATURE_SIZE_BYTES = 64;

/** A signed packet's bytes before its signature (a view). */
export function beforeSignature(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.length - SIGNATURE_SIZE_BYTES);
}
