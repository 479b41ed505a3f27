/** What `--partition` takes. */

export interface PartitionSpec {
  /** Validators on each side, in order. */
  readonly sides: readonly number[];
  readonly atMs: number;
  readonly forMs: number;
}

const SPEC = /^(\d{1,2}(?:\|\d{1,2})+)@(\d+(?:\.\d+)?)s\+(\d+(?:\.\d+)?)s$/;

/** Parses `3|1@20s+15s`; null when it is none. */
export function parsePartition(text: string): PartitionSpec | null {
  const [, sides, at, length] = SPEC.exec(text) ?? [];
  if (sides === undefined) return null;
  const counts = sides.split('|').map(Number);
  if (counts.some((count) => count === 0)) return null;
  return { sides: counts, atMs: Number(at) * 1000, forMs: Number(length) * 1000 };
}
