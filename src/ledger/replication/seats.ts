/**
 * Seats: a validator's number in replica records and validation packets, and its weight. Nothing else in the market knows how validators are
 * numbered or weighed: here a seat is the place in genesis' order of rank, and the weight its genesis bond.
 */
import type { PublicKey } from '../../../native/index.ts';
import type { LedgerRules } from '../rules.ts';

type SeatRules = Pick<LedgerRules, 'validators'>;

/** The seat of a validator's key, or -1 for a key that has none. */
export function seatOf({ validators }: SeatRules, key: PublicKey): number {
  return validators.indexOf(key);
}

/** A seat's weight; 0n for a seat nobody has. */
export function weightOf({ validators }: SeatRules, seat: number): bigint {
  return validators.members[seat]?.bond ?? 0n;
}

/** The key of a seat, or undefined for one nobody has. */
export function seatKey({ validators }: SeatRules, seat: number): PublicKey | undefined {
  return validators.members[seat]?.publicKey;
}

/** Seats are numbers below this; a replica record has as many bits in each set. */
export function seatCount({ validators }: SeatRules): number {
  return validators.count;
}

/** The weight of all seats. */
export function totalWeight({ validators }: SeatRules): bigint {
  return validators.totalBond;
}

/** The weight of the seats in a set. @param bits one bit a seat */
export function weightOfSeats(rules: SeatRules, bits: Uint8Array): bigint {
  let weight = 0n;
  for (const seat of seatsIn(bits)) weight += weightOf(rules, seat);
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
