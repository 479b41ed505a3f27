/**
 * The bond table: what validators have at stake, by address. All that tables have in common is slot-table.ts's.
 */
import { assertInvariant } from '../errors.ts';
import type { CleanMark } from './clean-mark.ts';
import { TOMBSTONE } from './log-position.ts';
import type { SlotKernels } from './slot-memory.ts';
import {
  ADDRESS_SIZE_BYTES,
  loadTable,
  makeTable,
  readTableMark,
  SlotTable,
  scratchTable,
  type TableOptions,
} from './slot-table.ts';

/** Address 20, bond u64, last vote u64, details 24, log position u32. */
const SLOT_SIZE_BYTES = 64;
const BOND_AT: number = ADDRESS_SIZE_BYTES;
const LAST_VOTE_AT: number = BOND_AT + 8;
const DETAILS_AT: number = LAST_VOTE_AT + 8;
const POSITION_AT: number = SLOT_SIZE_BYTES - 4;
/** Bytes of flags and counters, which only the ledger understands. */
export const BOND_DETAILS_SIZE_BYTES: number = POSITION_AT - DETAILS_AT;

/** A bond as stored. */
export interface Bond {
  readonly bond: bigint;
  /** Height of the last vote, or whatever the ledger puts there: a u64. */
  readonly lastVote: bigint;
  /** 24 bytes. */
  readonly details: Uint8Array;
}

export class BondTable extends SlotTable {
  /** What the folder says about the table in it: the mark it was closed with, or undefined when it must be rebuilt. */
  static readMark(options: TableOptions): Promise<CleanMark | undefined> {
    return readTableMark(options, SLOT_SIZE_BYTES);
  }

  /** Opens the table as `mark` describes it; as `AccountTable.open`. */
  static async open(options: TableOptions, mark: CleanMark): Promise<BondTable> {
    return new BondTable(await loadTable(options, SLOT_SIZE_BYTES, mark));
  }

  /** Makes an empty table, removing whatever was there. */
  static async create(options: TableOptions): Promise<BondTable> {
    return new BondTable(await makeTable(options, SLOT_SIZE_BYTES));
  }

  /** An empty table in memory only. */
  static scratch(kernels: SlotKernels): BondTable {
    return new BondTable(scratchTable(kernels, SLOT_SIZE_BYTES));
  }

  /** The bond of a 20-byte address (copied), or undefined. */
  get(address: Uint8Array): Bond | undefined {
    const slot = new Uint8Array(SLOT_SIZE_BYTES);
    this.kernels.tableRead(this.memory.shards, address, ADDRESS_SIZE_BYTES, 0, SLOT_SIZE_BYTES, slot);
    const view = new DataView(slot.buffer);
    return view.getUint32(POSITION_AT, true) === 0 ? undefined : bondAt(view, slot, 0);
  }

  /** Sets one bond at once, outside of any batch. @param op number over the whole log of the op that does. Throws `StorageError` 'table-full'. */
  put(address: Uint8Array, { bond, lastVote, details }: Bond, op: number): void {
    assertInvariant(details.length === BOND_DETAILS_SIZE_BYTES, `details of ${BOND_DETAILS_SIZE_BYTES} bytes`);
    const record = new Uint8Array(4 + POSITION_AT);
    const view = new DataView(record.buffer, 4);
    record.set(address, 4);
    view.setBigUint64(BOND_AT, bond, true);
    view.setBigUint64(LAST_VOTE_AT, lastVote, true);
    record.set(details, 4 + DETAILS_AT);
    this.#applyOne(record, 'put', op);
  }

  /** Deletes one bond at once; nothing happens when there is none. */
  delete(address: Uint8Array): void {
    const record = new Uint8Array(4 + ADDRESS_SIZE_BYTES);
    record.set(address, 4);
    this.#applyOne(record, 'delete', 0);
  }

  #applyOne(record: Uint8Array, kind: 'put' | 'delete', op: number): void {
    const changes = this.prepare(record, [{ kind, offset: 0, count: 1, firstOp: 0 }]);
    this.reserve(changes);
    this.apply(changes, op);
  }

  /** Every bond once, copied, in no order that means anything. Do not write while reading. */
  *all(): Generator<readonly [address: Uint8Array, bond: Bond]> {
    const { tables, olds } = this.memory.shards;
    for (const table of [...tables, ...olds]) {
      const view = new DataView(table.buffer, table.byteOffset, table.length);
      for (let at = 0; at < table.length; at += SLOT_SIZE_BYTES) {
        const position = view.getUint32(at + POSITION_AT, true);
        if (position !== 0 && position !== TOMBSTONE)
          yield [table.slice(at, at + ADDRESS_SIZE_BYTES), bondAt(view, table, at)];
      }
    }
  }
}

function bondAt(view: DataView, bytes: Uint8Array, at: number): Bond {
  return {
    bond: view.getBigUint64(at + BOND_AT, true),
    lastVote: view.getBigUint64(at + LAST_VOTE_AT, true),
    details: bytes.slice(at + DETAILS_AT, at + POSITION_AT),
  };
}
