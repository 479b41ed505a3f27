/** Who may lead, by "Leaders" in docs/protocol.md: the line on a parent, and whose turn a slot is. */
import type { PlainMember, PlainState } from './model.ts';

export interface PlainTurns {
  readonly timeoutSlots: number;
  /** 0: no terms. */
  readonly termSlots: number;
}

/** Why a slot's leader is not its parent's, or that it is. */
export type LeadReason = 'same' | 'timeout' | 'term' | 'handOver' | 'deposed' | 'gone';

/** The key that a slot on this parent belongs to. @param leader of the parent */
export function plainLeader(
  { timeoutSlots, termSlots }: PlainTurns,
  parent: PlainState,
  leader: string,
  slot: number,
): string {
  const line = plainLine(parent, leader, isInTerm(termSlots, parent.header.slot, slot));
  const turn = Math.floor((slot - parent.header.slot - 1) / timeoutSlots);
  return line[turn % line.length]!;
}

export function plainLine(parent: PlainState, leader: string, inTerm: boolean): string[] {
  const { judge, secondary } = parent;
  const { members } = judge;
  const counts = (name: string): boolean => members.some((one) => one.name === name && !one.excluded);
  const line: string[] = [];
  if (inTerm && counts(leader) && !parent.handOver && !isDeposed(parent, leader)) line.push(leader);
  if (secondary !== null && secondary !== leader && counts(secondary)) line.push(secondary);
  const place = members.findIndex(({ name }) => name === leader);
  const cycle = [...members.slice(place + 1), ...members.slice(0, place + 1)];
  const isNext = ({ name, inCurrent, excluded }: PlainMember): boolean =>
    inCurrent && !excluded && !line.includes(name);
  for (const member of cycle) if (isNext(member)) line.push(member.name);
  return line.length > 0 ? line : members.map(({ name }) => name);
}

/** Why the leader of a slot is who it is. */
export function leadReason(
  { timeoutSlots, termSlots }: PlainTurns,
  parent: PlainState,
  leader: string,
  slot: number,
): LeadReason {
  if (slot - parent.header.slot > timeoutSlots) return 'timeout';
  if (parent.handOver) return 'handOver';
  if (isDeposed(parent, leader)) return 'deposed';
  if (!isInTerm(termSlots, parent.header.slot, slot)) return 'term';
  return parent.judge.members.some(({ name, excluded }) => name === leader && !excluded) ? 'same' : 'gone';
}

function isInTerm(termSlots: number, a: number, b: number): boolean {
  return termSlots === 0 || Math.floor(a / termSlots) === Math.floor(b / termSlots);
}

function isDeposed({ bonds }: PlainState, leader: string): boolean {
  return bonds.some(({ name, isSlashed }) => name === leader && isSlashed);
}
