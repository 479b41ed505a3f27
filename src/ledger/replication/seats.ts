/**
 * Seats: a validator's lifelong number in replica records and validation packets, and its weight there. Nothing else in the market knows how validators
 * are numbered or weighed: those of the electorate count that are in the era's set and not excluded, by their weight in it.
 */
import type { PublicKey } from '../../../native/index.ts';
import { type Electorate, indexOf, type Member } from '../../consensus/electorate.ts';
import { memberOf } from '../bonds/electorate-after.ts';

/** The members that say something about storage. */
type Judges = Pick<Electorate, 'members'>;

const bySeat = new WeakMap<readonly Member[], ReadonlyMap<number, Member>>();

/** The judging members by seat, worked out once for each array of members. */
function seatsOf({ members }: Judges): ReadonlyMap<number, Member> {
  const known = bySeat.get(members);
  if (known !== undefined) return known;
  const seats = new Map(members.filter(judges).map((member) => [member.seat, member]));
  bySeat.set(members, seats);
  return seats;
}

function judges({ inCurrent, excluded }: Member): boolean {
  return inCurrent && !excluded;
}

/** The seat of a judging validator's key, or -1 for a key that has none. */
export function seatOf(electorate: Electorate, key: PublicKey): number {
  const member = memberOf(electorate, key);
  return member !== undefined && judges(member) ? member.seat : -1;
}

/** A seat's weight; 0n for a seat nobody has. */
export function weightOf(electorate: Judges, seat: number): bigint {
  return seatsOf(electorate).get(seat)?.weight ?? 0n;
}

/** The key of a seat, or undefined for one nobody has. */
export function seatKey(electorate: Judges, seat: number): PublicKey | undefined {
  return seatsOf(electorate).get(seat)?.publicKey;
}

/** Seats in use are numbers below this; a replica record has as many bits in each set. */
export function seatCount(electorate: Judges): number {
  return 1 + Math.max(0, ...seatsOf(electorate).keys());
}

/** The weight of all seats. */
export function totalWeight(electorate: Judges): bigint {
  return indexOf(electorate).active.current;
}

/** The weight of the seats in a set. @param bits one bit a seat */
export function weightOfSeats(electorate: Judges, bits: Uint8Array): bigint {
  let weight = 0n;
  for (const seat of seatsIn(bits)) weight += weightOf(electorate, seat);
  return weight;
}

/** The seats of a set, ascending. */
export function* seatsIn(bits: Uint8Array): Iterable<number> {
  for (const [index, byte] of bits.entries())
    for (let bit = 0; bit < 8; bit++) if (((byte >> bit) & 1) === 1) yield index * 8 + bit;
}

/** Whether a seat is in a set. */
export function hasSeat(bits: Uint8Array, seat: number): boolean {
  return ((bits[seat >> 3]! >> (seat & 7)) & 1) === 1;
}

/** The set with a seat added, as a copy. */
export function withSeat(bits: Uint8Array, seat: number): Uint8Array {
  const copy = bits.slice();
  copy[seat >> 3]! |= 1 << (seat & 7);
  return copy;
}
