/**
 * The account table's kernels: batched lookup and insert by linear probing in one shard.
 *
 * Owns: nothing; the shard's bytes are the caller's. A slot is address 20, balance u64, log position u32; log position 0 means empty.
 * Invariant: a probe ends after at most every slot was seen once, also on damaged bytes.
 */
import { tableCorrupt, tableFull } from '../raw-kernels.ts';
import { sipHashAddress } from './siphash.ts';

const SLOT_BYTES = 32;
const ADDRESS_BYTES = 20;
const LOG_POSITION_AT = 28;

const isEmpty = (table: Uint8Array, at: number): boolean =>
  (table[at + LOG_POSITION_AT]! |
    table[at + LOG_POSITION_AT + 1]! |
    table[at + LOG_POSITION_AT + 2]! |
    table[at + LOG_POSITION_AT + 3]!) ===
  0;

function sameAddress(table: Uint8Array, at: number, addresses: Uint8Array, from: number): boolean {
  for (let i = 0; i < ADDRESS_BYTES; i++) if (table[at + i] !== addresses[from + i]) return false;
  return true;
}

/** Slot of the address at `from`, or -1 - (the empty slot where it would go). */
function probe(table: Uint8Array, mask: number, secret: Uint8Array, addresses: Uint8Array, from: number): number {
  let slot = sipHashAddress(secret, addresses, from) & mask;
  for (let seen = 0; seen <= mask; seen++) {
    const at = slot * SLOT_BYTES;
    if (isEmpty(table, at)) return -1 - slot;
    if (sameAddress(table, at, addresses, from)) return slot;
    slot = (slot + 1) & mask;
  }
  throw tableCorrupt(mask + 1);
}

/** The kernel `tableFind`. */
export function tableFind(
  table: Uint8Array,
  slotCountLog2: number,
  secret: Uint8Array,
  addresses: Uint8Array,
  slots: Int32Array,
): void {
  const mask = 2 ** slotCountLog2 - 1;
  for (let i = 0; i < slots.length; i++) slots[i] = probe(table, mask, secret, addresses, i * ADDRESS_BYTES);
}

/** The kernel `tablePut`. */
export function tablePut(
  table: Uint8Array,
  slotCountLog2: number,
  secret: Uint8Array,
  used: number,
  entries: Uint8Array,
): number {
  const slotCount = 2 ** slotCountLog2;
  let added = 0;
  for (let from = 0; from < entries.length; from += SLOT_BYTES) {
    const found = probe(table, slotCount - 1, secret, entries, from);
    const slot = found < 0 ? -1 - found : found;
    if (found < 0) {
      if ((used + added + 1) * 2 > slotCount) throw tableFull(used + added, slotCount);
      added += 1;
    }
    table.set(entries.subarray(from, from + SLOT_BYTES), slot * SLOT_BYTES);
  }
  return added;
}
