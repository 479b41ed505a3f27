/**
 * What a light client counts to see that a block is final: votes for its child in the very next slot, with the block as their source, from a quorum of the electorate
 * after it (docs/protocol.md, "Justified and final").
 *
 * Invariant: of a hostile certificate nothing counts but votes of that one link, each voter once. Signatures are the caller's to check.
 */
import { byteKey, sameBytes } from '../../../native/index.ts';
import type { BlockHeader, Certificate, Vote } from '../../codec/index.ts';
import { addVoter, type Electorate, isQuorumOf, NO_TALLY } from '../../consensus/electorate.ts';

/** Whether a certificate's header can show a block final at all: its child, in the very next slot. */
export function followsDirectly(final: BlockHeader, { header: child }: Certificate): boolean {
  return sameBytes(child.parentHash, final.hash) && child.slot === final.slot + 1 && child.height === final.height + 1;
}

/** The votes that link a block to the certificate's header. */
export function linkVotesOf(final: BlockHeader, { header: child, votes }: Certificate): Vote[] {
  return votes.filter(
    (vote) =>
      sameBytes(vote.targetHash, child.hash) &&
      vote.targetSlot === child.slot &&
      sameBytes(vote.sourceHash, final.hash) &&
      vote.sourceSlot === final.slot,
  );
}

/** Whether the voters of these votes, whose signatures are right, are a quorum. */
export function areQuorum(electorate: Electorate, votes: readonly Vote[]): boolean {
  const voters = new Set(votes.map(({ voter }) => byteKey(voter)));
  const tally = electorate.members.filter(({ publicKey }) => voters.has(byteKey(publicKey))).reduce(addVoter, NO_TALLY);
  return isQuorumOf(electorate, tally);
}
