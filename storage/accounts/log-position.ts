/**
 * Log positions: which op of the log set a slot, in the 32 bits that a slot has for it.
 *
 * Stored: op number mod (2^32 - 2), plus 1. 0 is an empty slot, 2^32 - 1 a deleted one. The full number follows from how many ops the log
 * has, because no key's latest op is 2^32 - 2 ops old: compaction moves it long before.
 */
const POSITION_MODULUS: number = 2 ** 32 - 2;
/** The log position of a deleted slot. */
export const TOMBSTONE: number = 2 ** 32 - 1;

/** What a slot holds for op number `op` of the log. */
export function storedPosition(op: number): number {
  return (op % POSITION_MODULUS) + 1;
}

/**
 * The op numbers behind stored positions. @param stored as read from slots; 0: none
 * @param opCount ops in the log; every position is of one of the last 2^32 - 2 @param out as long, written: -1 for none
 */
export function resolvePositions(stored: Uint32Array, opCount: number, out: Float64Array): void {
  const begin = opCount - (opCount % POSITION_MODULUS);
  const within = opCount - begin;
  for (let index = 0; index < stored.length; index++) {
    const position = stored[index]! - 1;
    if (position < 0) out[index] = -1;
    else out[index] = position < within ? begin + position : begin - POSITION_MODULUS + position;
  }
}
