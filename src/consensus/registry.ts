/**
 * The voters this node keeps an account for: the members of all electorates alive, that is, of the tree's verified blocks and of the trail. Voters are named by the
 * bytes of their key; each has its own bounded allowances. With the last electorate that knows it a voter vanishes, and all that was kept for it.
 *
 * Invariant: `state.voters` holds exactly the members of the electorates in `state.electorates`.
 */
import type { PublicKey } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { Electorate, Member } from './electorate.ts';
import { indexOf } from './electorate.ts';
import type { ConsensusState, Voter } from './state.ts';
import { dropUnknownVotes } from './unknown-votes.ts';
import { liftVote } from './weight.ts';

function newVoter(key: string, publicKey: PublicKey): Voter {
  return {
    key,
    publicKey,
    latest: null,
    placed: null,
    placedSlot: 0,
    placedWeight: 0n,
    records: new Map(),
    highestTargetSlot: 0,
    highestSourceSlot: 0,
    doubles: new Map(),
    unknown: [],
    equivocated: false,
    proof: [],
    reported: new Set(),
  };
}

/** An electorate comes into use once more. Returns whether it made a voter known that was not. */
export function holdElectorate(state: ConsensusState, electorate: Electorate): boolean {
  const known = state.electorates.get(electorate.members);
  if (known !== undefined) {
    known.uses += 1;
    return false;
  }
  state.electorates.set(electorate.members, { electorate, uses: 1 });
  const before = state.voters.size;
  for (const { publicKey } of electorate.members) {
    const key = byteKey(publicKey);
    if (!state.voters.has(key)) state.voters.set(key, newVoter(key, publicKey));
  }
  return state.voters.size > before;
}

/** One use less; with the last use go the voters nobody else knows. */
export function releaseElectorate(state: ConsensusState, { members }: Electorate): void {
  const known = state.electorates.get(members);
  if (known === undefined) return;
  known.uses -= 1;
  if (known.uses > 0) return;
  state.electorates.delete(members);
  for (const member of members) if (!isKnownElsewhere(state, member)) dropVoter(state, byteKey(member.publicKey));
}

function isKnownElsewhere(state: ConsensusState, { publicKey }: Member): boolean {
  const key = byteKey(publicKey);
  for (const { electorate } of state.electorates.values()) if (indexOf(electorate).rankByKey.has(key)) return true;
  return false;
}

function dropVoter(state: ConsensusState, key: string): void {
  const voter = state.voters.get(key);
  if (voter === undefined) return;
  dropUnknownVotes(state, voter, () => true);
  liftVote(voter);
  state.voters.delete(key);
  state.offences.delete(key);
}
