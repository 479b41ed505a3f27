/**
 * Whether a hand-over follows from the electorate that a light client knows. Why this is safe: docs/protocol.md, "Hand-overs".
 *
 * Invariants
 * - The two electorates share a set, known before: both sets within an era; across one change of eras the newer one of the older era, which is the older one of the newer. It must be
 *   the same to the last unit of weight. A quorum of the new electorate is one of that set too.
 * - An era cannot be left out, nor anything older be shown again.
 * - Members that are excluded lower what a quorum needs only under the majority floor: more than half of all of each set must have agreed, in any case.
 */
import { byteKey } from '../../../native/index.ts';
import type { BlockHeader, Vote } from '../../codec/index.ts';
import type { Electorate, Member } from '../../consensus/electorate.ts';
import { areQuorum, linkVotesOf } from './finality.ts';
import { type HandOver, HandOverError } from './hand-over.ts';

/** What a light client knows of who judges, and from which final block's state: genesis, or the newest hand-over's. */
export interface KnownElectorate {
  readonly electorate: Electorate;
  readonly block: Pick<BlockHeader, 'height' | 'hash'>;
}

/** A hand-over's electorate, once it has been followed. */
export function knownBy({ electorate, header: { height, hash } }: HandOver): KnownElectorate {
  return { electorate, block: { height, hash } };
}

/** Refuses a hand-over that cannot be the next one, whoever voted. @throws HandOverError */
export function requireNext(known: KnownElectorate, { electorate: next, header }: HandOver): void {
  const { electorate: before } = known;
  if (next.epoch <= before.epoch || next.era < before.era || header.height <= known.block.height)
    throw new HandOverError('replayed', `of epoch ${next.epoch}, where that of epoch ${before.epoch} is known`);
  if (next.era > before.era + 1)
    throw new HandOverError('skipped', `from era ${before.era} to ${next.era}: one between is missing`);
  const isSameEra = next.era === before.era;
  const isShared = isSameEra
    ? sameSet(membersIn(before, 'inCurrent'), membersIn(next, 'inCurrent')) &&
      sameSet(membersIn(before, 'inPrevious'), membersIn(next, 'inPrevious'))
    : sameSet(membersIn(before, 'inCurrent'), membersIn(next, 'inPrevious'));
  if (!isShared)
    throw new HandOverError('members', `the set that eras ${before.era} and ${next.era} share is not the same`);
  if (!next.majorityFloor && next.members.some(({ excluded }) => excluded))
    throw new HandOverError('floor', 'members are excluded without the majority floor: nobody can be shown that');
}

/** The votes of a hand-over whose signatures matter. */
export function votesOf({ header, certificate }: HandOver): Vote[] {
  return linkVotesOf(header, certificate);
}

/** Refuses a hand-over whose votes are short of a quorum. @param signed those of `votesOf` whose signatures are right @throws HandOverError */
export function requireQuorum({ electorate, header }: HandOver, signed: readonly Vote[]): void {
  if (!areQuorum(electorate, signed))
    throw new HandOverError('votes', `the votes do not show block ${header.height} final`);
}

function membersIn({ members }: Electorate, set: 'inCurrent' | 'inPrevious'): readonly Member[] {
  return members.filter((member) => member[set]);
}

/** Both are in order of rank, which is strict. */
function sameSet(a: readonly Member[], b: readonly Member[]): boolean {
  return a.length === b.length && a.every((member, rank) => isSame(member, b[rank]!));
}

function isSame(a: Member, b: Member): boolean {
  return a.weight === b.weight && a.seat === b.seat && byteKey(a.publicKey) === byteKey(b.publicKey);
}
