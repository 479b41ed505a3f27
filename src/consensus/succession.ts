/**
 * The leader rule: who may produce the block for a slot on a given parent. Objective: it needs the parent's header and the electorate after it.
 *
 * Let the parent stand at slot p and be led by L, and g = slot - p. The turn is floor((g - 1) / timeoutSlots), and the slot belongs to the turn-th in line, cyclic.
 * The line: L itself, unless it handed over, was deposed, is no active member, or its term ended (slot and p lie in different terms); the approved
 * secondary; then the active members of the current set by rank, cyclically after L's place; nobody twice.
 *
 * Invariants: the line is never empty; with one member it is that one, whatever it did. Source: docs/protocol.md, "Leaders".
 */
import type { PublicKey, Slot } from '../../native/index.ts';
import { byteKey, sameBytes } from '../../native/index.ts';
import type { Electorate, Member } from './electorate.ts';
import { rankOf } from './electorate.ts';

/** What the leader rule needs of a parent's header. */
export interface LedBlock {
  readonly slot: Slot;
  readonly leader: PublicKey;
}

/** Genesis parameters of the leader rule. */
export interface TurnParameters {
  /** Slots of one turn, >= 1. */
  readonly timeoutSlots: number;
  /** Slots of one term; 0: the lead never ends by schedule. */
  readonly termSlots: number;
}

/** The first slot of the term after that of `slot`; infinity without terms. */
function nextTermSlot(slot: number, termSlots: number): number {
  return termSlots === 0 ? Number.POSITIVE_INFINITY : (Math.floor(slot / termSlots) + 1) * termSlots;
}

const lines = new WeakMap<Electorate, Map<string, readonly Member[]>>();

/** The line on a parent led by `leader`; `inTerm`: the slot lies in the parent's term. */
export function lineOf(electorate: Electorate, leader: PublicKey, inTerm: boolean): readonly Member[] {
  const key = `${inTerm ? 1 : 0}${byteKey(leader)}`;
  const known = lines.get(electorate);
  const found = known?.get(key);
  if (found !== undefined) return found;
  const line = makeLine(electorate, leader, inTerm);
  if (known === undefined) lines.set(electorate, new Map([[key, line]]));
  else known.set(key, line);
  return line;
}

function makeLine(electorate: Electorate, leader: PublicKey, inTerm: boolean): readonly Member[] {
  const { members, secondary } = electorate;
  const rank = rankOf(electorate, leader);
  const first: Member[] = [];
  if (inTerm && rank !== undefined && keepsLead(electorate, members[rank]!)) first.push(members[rank]!);
  const second = secondary === null ? undefined : members[rankOf(electorate, secondary) ?? -1];
  if (second !== undefined && !second.excluded && !sameBytes(second.publicKey, leader)) first.push(second);
  const after = rank === undefined ? 0 : rank + 1;
  const cycle = [...members.slice(after), ...members.slice(0, after)];
  const rest = cycle.filter((member) => member.inCurrent && !member.excluded && !first.includes(member));
  const line = [...first, ...rest];
  return line.length > 0 ? line : members;
}

function keepsLead({ handOver, deposed }: Electorate, leader: Member): boolean {
  return !leader.excluded && !handOver && (deposed === null || !sameBytes(deposed, leader.publicKey));
}

/** The one validator that may lead `slot` on `parent`, or null when `slot` is not above the parent's. */
export function leaderOf(
  electorate: Electorate,
  parent: LedBlock,
  slot: number,
  { timeoutSlots, termSlots }: TurnParameters,
): PublicKey | null {
  if (slot <= parent.slot) return null;
  const line = lineOf(electorate, parent.leader, slot < nextTermSlot(parent.slot, termSlots));
  const turn = Math.floor((slot - parent.slot - 1) / timeoutSlots);
  return line[turn % line.length]!.publicKey;
}

export interface OwnTurnQuery extends TurnParameters {
  readonly own: PublicKey;
  /** Lowest slot that would do. */
  readonly fromSlot: number;
  readonly gapSlotsMax: number;
}

/** The first slot from `fromSlot` on that `own` may lead on `parent`, or null when that lies beyond `gapSlotsMax` or never comes. */
export function firstOwnSlot(electorate: Electorate, parent: LedBlock, query: OwnTurnQuery): number | null {
  const termEnd = nextTermSlot(parent.slot, query.termSlots);
  const last = parent.slot + query.gapSlotsMax;
  return (
    ownSlotWithin(
      lineOf(electorate, parent.leader, true),
      parent.slot,
      query,
      parent.slot + 1,
      Math.min(termEnd - 1, last),
    ) ?? ownSlotWithin(lineOf(electorate, parent.leader, false), parent.slot, query, termEnd, last)
  );
}

/** The first own slot by one line, within the slots it holds for. */
function ownSlotWithin(
  line: readonly Member[],
  parentSlot: number,
  { own, fromSlot, timeoutSlots }: OwnTurnQuery,
  firstSlot: number,
  lastSlot: number,
): number | null {
  const place = line.findIndex(({ publicKey }) => sameBytes(publicKey, own));
  const from = Math.max(firstSlot, fromSlot);
  if (place < 0 || from > lastSlot) return null;
  const turnAt = Math.floor((from - parentSlot - 1) / timeoutSlots);
  const wait = (place - (turnAt % line.length) + line.length) % line.length;
  const slot = wait === 0 ? from : parentSlot + (turnAt + wait) * timeoutSlots + 1;
  return slot <= lastSlot ? slot : null;
}
