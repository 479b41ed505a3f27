/** Tables for the kernels' tests: every variant, tables of any shape in any stage of a move, and all they hold. */
import { createHash } from 'node:crypto';
import type { Kernels, TableShards } from '../../native/kernels.ts';
import { plainSipHasher } from '../../native/portable/siphash.ts';
import { tableKernels } from '../../native/portable/table.ts';
import { hex, seededBytes, VARIANTS } from './variants.ts';

export type TableFunctions = Pick<Kernels, 'tableRead' | 'tablePut' | 'tableDelete' | 'tableMissing' | 'tableMove'>;
export type Slot = 32 | 64;

/** Every variant, and the portable kernels where there is no WebAssembly. */
export const ALL: readonly { readonly name: string; readonly kernels: TableFunctions }[] = [
  ...VARIANTS,
  { name: 'portable without WebAssembly', kernels: tableKernels(plainSipHasher()) },
];
export const SLOTS = [32, 64] as const;
const NONE: Uint8Array = new Uint8Array(0);
export const secret: Uint8Array = seededBytes(99)(16);

/** An empty table of shards of 2^log2 slots each. */
export function emptyTable(slotSizeBytes: Slot, shardCount: number, log2: number): TableShards {
  const tables = Array.from({ length: shardCount }, () => new Uint8Array(slotSizeBytes << log2));
  return { slotSizeBytes, secret, tables, olds: tables.map(() => NONE), state: new Uint32Array(4 * shardCount) };
}

export const key = (n: number): Uint8Array => seededBytes(5000 + n)(20);

/** Records of keys `numbers`, each with a value from `salt`, at a stride that leaves gaps. */
export function recordsOf(slotSizeBytes: Slot, numbers: readonly number[], salt: number, stride: number): Uint8Array {
  const records = seededBytes(salt)(numbers.length * stride);
  for (const [i, n] of numbers.entries()) records.set(key(n), i * stride);
  return records.subarray(0, records.length - stride + slotSizeBytes - 4);
}

/** The line behind a line that is not full: where a move may start. */
export function startOf(table: Uint8Array, slotSizeBytes: Slot): number {
  const view = new DataView(table.buffer, table.byteOffset);
  const lines = table.length / 64;
  for (let line = 0; line < lines; line++)
    for (let at = 64 * line; at < 64 * (line + 1); at += slotSizeBytes)
      if (view.getUint32(at + slotSizeBytes - 4, true) === 0) return (line + 1) % lines;
  throw new RangeError('a full table');
}

/** One shard's table becomes the old one of a table of 2^log2 slots. */
export function startMove(table: TableShards, shard: number, log2: number): TableShards {
  table.state[4 * shard + 2] = startOf(table.tables[shard]!, table.slotSizeBytes);
  table.state[4 * shard + 3] = 0;
  const replace = <T>(list: readonly T[], value: T): T[] => list.map((old, i) => (i === shard ? value : old));
  return {
    ...table,
    tables: replace(table.tables, new Uint8Array(table.slotSizeBytes << log2)),
    olds: replace(table.olds, table.tables[shard]!),
  };
}

export const endMove = (table: TableShards, shard: number): TableShards => ({
  ...table,
  olds: table.olds.map((old, i) => (i === shard ? NONE : old)),
});

/** Everything the table says of keys 0 .. count, and all its bytes. */
export function contentOf(kernels: TableFunctions, table: TableShards, count: number): string {
  const keys = new Uint8Array(20 * count);
  for (let n = 0; n < count; n++) keys.set(key(n), 20 * n);
  const out = new Uint8Array(count * (table.slotSizeBytes - 20));
  kernels.tableRead(table, keys, 20, 20, table.slotSizeBytes - 20, out);
  return hex(out);
}

/** Digest of all its bytes. */
export function imageOf({ tables, olds, state }: TableShards): string {
  const digest = createHash('sha256');
  for (const bytes of [...tables, ...olds, new Uint8Array(state.buffer)]) digest.update(bytes);
  return digest.digest('hex');
}

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
