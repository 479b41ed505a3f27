/**
 * Certificates: a header with the votes on it, enough for a stranger who knows the bonds to see that a block is justified.
 *
 * | offset | bytes | field |
 * |---|---|---|
 * | 0 | 4 | version = 1, then 3 zero bytes |
 * | 4 | 4 | vote count, 0 .. 4,096 |
 * | 8 | 336 | header |
 * | 344 | 264 n | votes |
 *
 * Voters ascend strictly by key, so no vote can be counted twice. Whether the votes suffice, and their signatures, are for the
 * consensus rules to judge.
 */
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { CodecError } from './codec-error.ts';
import type { Hasher } from './domain.ts';
import { HEADER_SIZE_BYTES, readHeader } from './header.ts';
import type { Certificate, Vote } from './model.ts';
import { readVote, VOTE_SIZE_BYTES } from './vote.ts';

/** Most votes in one certificate. */
export const CERTIFICATE_VOTES_MAX = 4096;
const HEAD_SIZE_BYTES = 8;
const VERSION = 1;

/** Encodes a certificate, its votes sorted by voter. @throws CodecError for two votes of one voter or too many votes */
export function encodeCertificate(certificate: Certificate): Uint8Array {
  const votes = [...certificate.votes].sort((a, b) => Buffer.compare(a.voter, b.voter));
  checkVoters(votes);
  const writer = new ByteWriter(HEAD_SIZE_BYTES + HEADER_SIZE_BYTES + votes.length * VOTE_SIZE_BYTES);
  writer.u8(VERSION, 'certificate.version');
  writer.zeros(3, 'certificate.reserved');
  writer.u32(checkedCount(votes.length), 'certificate.voteCount');
  writer.put(certificate.header.bytes, HEADER_SIZE_BYTES, 'certificate.header');
  for (const vote of votes) writer.put(vote.bytes, VOTE_SIZE_BYTES, 'certificate.vote');
  return writer.done('certificate');
}

/** Decodes exactly one certificate (views of `bytes`); checks its form, no signature. @throws CodecError */
export function decodeCertificate(hasher: Hasher, bytes: Uint8Array): Certificate {
  const reader = new ByteReader(bytes);
  const version = reader.u8('certificate.version');
  if (version !== VERSION)
    throw new CodecError('version', 'certificate.version', `must be ${VERSION}, found ${version}`);
  reader.zeros(3, 'certificate.reserved');
  const count = checkedCount(reader.u32('certificate.voteCount'));
  const header = readHeader(hasher, reader);
  const votes: Vote[] = [];
  for (let index = 0; index < count; index++) votes.push(readVote(reader));
  reader.end('certificate');
  checkVoters(votes);
  return { header, votes };
}

function checkedCount(count: number): number {
  if (count > CERTIFICATE_VOTES_MAX)
    throw new CodecError('count', 'certificate.voteCount', `at most ${CERTIFICATE_VOTES_MAX}, found ${count}`);
  return count;
}

function checkVoters(votes: readonly Vote[]): void {
  for (let index = 1; index < votes.length; index++) {
    if (Buffer.compare(votes[index - 1]!.voter, votes[index]!.voter) >= 0)
      throw new CodecError('mismatch', 'certificate.votes', `voter ${index} does not ascend past the one before it`);
  }
}
