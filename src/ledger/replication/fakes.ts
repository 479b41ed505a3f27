/**
 * Fake proofs: wrong on purpose, so that validators who approve without checking are found out, and shown to be fakes by a secret.
 *
 *   part 0: samples root of a fake = F(0);  part 1: the first 32 bytes of a fake's openings = F(1)
 *   F(part) = SHA-256("cairn/fake/1" || part u8 || secret 32 || period hash 32 || identity 20 || segment u32 || period u32)
 *   opening digest = SHA-256("cairn/opening/1" || first 32 bytes || SHA-256(the rest))
 *
 * Why nobody can reveal a *true* proof as a fake, and so have honest validators punished:
 * - a samples root is SHA-256 of something that begins with 0x00 or 0x01, F of something that begins with "c": equal only by a collision;
 * - openings begin with bytes of a replica whose root was on the ledger before the period's hash was known. F depends on that hash, so nobody can have
 *   put F into the replica; finding a secret that gives the bytes there is a second preimage.
 * Why a fake looks like any proof to whoever does not check: its VRF proof is right, its root 32 bytes of a hash, its openings have the right length and
 * the digest that the ledger holds. Only following the leaves to the committed root, or encoding the segment again, tells.
 */
import type { Address, Hash } from '../../../native/index.ts';
import { hash } from '../../../native/index.ts';
import { ByteWriter, type Hasher, taggedHash } from '../../codec/index.ts';
import { OPENING_HEAD_SIZE_BYTES } from './market-rules.ts';

const FAKE_TAG: Uint8Array = new TextEncoder().encode('cairn/fake/1');
const OPENING_TAG: Uint8Array = new TextEncoder().encode('cairn/opening/1');
const SECRET_SIZE_BYTES = 32;

/** Which proof a fake stands for. */
export interface FakeSubject {
  readonly identity: Address;
  readonly segment: number;
  readonly period: number;
  /** The period's designated hash. 32 bytes. */
  readonly periodHash: Hash;
}

/** The samples root of the fake that a secret of 32 bytes makes. */
export function fakeSamplesRoot(hasher: Hasher, subject: FakeSubject, secret: Uint8Array): Hash {
  return fakeValue(hasher, 0, subject, secret);
}

/** The first 32 bytes of the fake's openings. */
export function fakeOpeningHead(hasher: Hasher, subject: FakeSubject, secret: Uint8Array): Hash {
  return fakeValue(hasher, 1, subject, secret);
}

/** A copy of true openings made wrong: only whoever follows the leaves to their root can tell. @param body at least 32 bytes, borrowed */
export function fakeOpening(hasher: Hasher, subject: FakeSubject, secret: Uint8Array, body: Uint8Array): Uint8Array {
  const fake = body.slice();
  fake.set(fakeOpeningHead(hasher, subject, secret));
  return fake;
}

/** SHA-256 of a body's bytes from 32 on: what a reveal carries instead of them. */
export function openingRestHash(hasher: Hasher, body: Uint8Array): Hash {
  return hash(hasher.sha256(body.subarray(OPENING_HEAD_SIZE_BYTES)));
}

/** The digest of openings, as `proveOpen` carries it. @param body what `makeOpening` gives, at least 32 bytes */
export function openingDigest(hasher: Hasher, body: Uint8Array): Hash {
  return openingDigestOf(hasher, body.subarray(0, OPENING_HEAD_SIZE_BYTES), openingRestHash(hasher, body));
}

/** The same from the first 32 bytes and the hash of the rest. */
export function openingDigestOf(hasher: Hasher, head: Uint8Array, restHash: Uint8Array): Hash {
  const writer = new ByteWriter(64);
  writer.put(head, OPENING_HEAD_SIZE_BYTES, 'opening.head');
  writer.put(restHash, 32, 'opening.restHash');
  return taggedHash(hasher, OPENING_TAG, writer.done('opening'));
}

function fakeValue(hasher: Hasher, part: number, subject: FakeSubject, secret: Uint8Array): Hash {
  const writer = new ByteWriter(1 + SECRET_SIZE_BYTES + 32 + 20 + 4 + 4);
  writer.u8(part, 'fake.part');
  writer.put(secret, SECRET_SIZE_BYTES, 'fake.secret');
  writer.put(subject.periodHash, 32, 'fake.periodHash');
  writer.put(subject.identity, 20, 'fake.identity');
  writer.u32(subject.segment, 'fake.segment');
  writer.u32(subject.period, 'fake.period');
  return taggedHash(hasher, FAKE_TAG, writer.done('fake'));
}
