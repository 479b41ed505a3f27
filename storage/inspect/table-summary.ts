/**
 * What an account or bond table holds: its clean mark, and every shard file read once, at the speed of the disk.
 *
 * The table is derived: nothing found here is damage of the ledger. A table without a clean mark of the log's very end is rebuilt by
 * the next start.
 */
import { type Kernels, sameBytes } from '../../native/index.ts';
import { type CleanMark, readMark } from '../accounts/clean-mark.ts';
import { TOMBSTONE } from '../accounts/log-position.ts';
import { slotCountLog2Range } from '../accounts/slot-memory.ts';
import { parseImageName } from '../accounts/table-image.ts';
import { type Files, FilesError } from '../files/files.ts';
import { newestSuperblock, readSuperblocks, withLogLock } from './log-folder.ts';

export interface InspectTableOptions {
  readonly files: Files;
  readonly kernels: Pick<Kernels, 'sha256' | 'crc32c'>;
  /** The folder with `log/`, `accounts/` and `bonds/`. */
  readonly stateDirectory: string;
  /** Which table; accounts unless given. */
  readonly table?: 'accounts' | 'bonds';
  /** Told how far the work is, in bytes of shard files. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ShardSummary {
  /** Name of the file. */
  readonly name: string;
  readonly index: number;
  readonly slots: number;
  readonly sizeBytes: number;
  /** Slots in use, counted. */
  readonly entries: number;
  /** Slots of deleted entries, counted; the next time the shard grows they are dropped. */
  readonly tombstones: number;
  /** Entries that the clean mark says; undefined without one. */
  readonly marked: number | undefined;
  /** CRC-32C of the file. */
  readonly crc: number;
  /** Longest stretch of used slots, deleted ones included: no lookup looks at more than that and two. */
  readonly longestRun: number;
}

export interface TableSummary {
  /** Chain of the op log at the point that the table equals; undefined without a clean mark. */
  readonly cleanAt: Uint8Array | undefined;
  /** Whether the next start takes the table over, and why not. */
  readonly state: 'clean' | 'no clean mark' | 'mark of another point of the log' | 'shards differ from the mark';
  readonly shards: readonly ShardSummary[];
  readonly entries: number;
  readonly tombstones: number;
  readonly slots: number;
  readonly sizeBytes: number;
}

const SLOT_SIZES_BYTES = { accounts: 32, bonds: 64 } as const;
type SlotSize = (typeof SLOT_SIZES_BYTES)[keyof typeof SLOT_SIZES_BYTES];
const CHUNK_SIZE_BYTES: number = 4 * 1024 * 1024;

/** Summarises a stopped node's table. Throws `FilesError` ('not-found', 'locked', 'io'), `CorruptionError` for both superblocks damaged. */
export function inspectTable(options: InspectTableOptions): Promise<TableSummary> {
  const { files, kernels, stateDirectory, table = 'accounts' } = options;
  const slotSizeBytes = SLOT_SIZES_BYTES[table];
  const log = { files, kernels, directory: `${stateDirectory}/log` };
  return withLogLock(log, async () => {
    const directory = `${stateDirectory}/${table}`;
    if (!(await files.exists(directory))) throw new FilesError('not-found', directory, 'no table here');
    const { block } = newestSuperblock(log.directory, await readSuperblocks(log));
    const mark = await readMark(files, kernels, `${directory}/clean`, slotSizeBytes);
    const shards = await readShards(options, directory, mark, slotSizeBytes);
    const atEnd = mark !== undefined && block.start === block.end && sameBytes(mark.chain, block.position.digest);
    return {
      cleanAt: mark?.chain,
      state: stateOf(mark, atEnd, shards, slotSizeBytes),
      shards,
      entries: shards.reduce((sum, { entries }) => sum + entries, 0),
      tombstones: shards.reduce((sum, { tombstones }) => sum + tombstones, 0),
      slots: shards.reduce((sum, { slots }) => sum + slots, 0),
      sizeBytes: shards.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    };
  });
}

function stateOf(
  mark: CleanMark | undefined,
  isAtEnd: boolean,
  shards: readonly ShardSummary[],
  slotSizeBytes: SlotSize,
): TableSummary['state'] {
  if (mark === undefined) return 'no clean mark';
  if (!isAtEnd) return 'mark of another point of the log';
  const equal = mark.shards.every((wanted, index) =>
    shards.some(
      (shard) =>
        shard.index === index &&
        shard.entries === wanted.live &&
        shard.tombstones === wanted.tombstones &&
        shard.crc === wanted.crc &&
        shard.slots === 2 ** wanted.slotCountLog2 &&
        shard.sizeBytes === shard.slots * slotSizeBytes,
    ),
  );
  return equal ? 'clean' : 'shards differ from the mark';
}

async function readShards(
  { files, kernels, onProgress }: InspectTableOptions,
  directory: string,
  mark: CleanMark | undefined,
  slotSizeBytes: SlotSize,
): Promise<ShardSummary[]> {
  const names = (await files.list(directory)).filter((name) => parseImageName(name) !== undefined);
  const sizes = await Promise.all(names.map((name) => sizeOf(files, `${directory}/${name}`)));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const shards: ShardSummary[] = [];
  let done = 0;
  for (const name of names) {
    const { index, slotCountLog2 } = parseImageName(name)!;
    if (slotCountLog2 > slotCountLog2Range(slotSizeBytes).max) continue;
    const usage = await readUsage({ files, kernels, slotSizeBytes }, `${directory}/${name}`, (sizeBytes) => {
      done += sizeBytes;
      onProgress?.(done, total);
    });
    const wanted = mark?.shards[index];
    const marked = wanted?.slotCountLog2 === slotCountLog2 ? wanted.live : undefined;
    shards.push({ name, index, slots: 2 ** slotCountLog2, ...usage, marked });
  }
  return shards.sort((a, b) => a.index - b.index || a.slots - b.slots);
}

async function sizeOf(files: Files, path: string): Promise<number> {
  const file = await files.open(path, 'read');
  try {
    return await file.sizeBytes();
  } finally {
    await file.close();
  }
}

type Usage = Pick<ShardSummary, 'sizeBytes' | 'entries' | 'tombstones' | 'crc' | 'longestRun'>;

/** What has been counted of a shard so far. */
interface Count {
  slots: number;
  entries: number;
  tombstones: number;
  run: number;
  longestRun: number;
  /** Used slots before the first empty one; -1 while there was none. */
  firstRun: number;
}

/** Reads a shard file once: used slots, and the longest stretch of them, from the last slot to the first included. */
async function readUsage(
  { files, kernels, slotSizeBytes }: Pick<InspectTableOptions, 'files' | 'kernels'> & { slotSizeBytes: SlotSize },
  path: string,
  onChunk: (sizeBytes: number) => void,
): Promise<Usage> {
  const count: Count = { slots: 0, entries: 0, tombstones: 0, run: 0, longestRun: 0, firstRun: -1 };
  let crc = 0;
  const words = new Uint32Array(CHUNK_SIZE_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  const file = await files.open(path, 'read');
  try {
    const sizeBytes = await file.sizeBytes();
    for (let offset = 0; offset < sizeBytes; ) {
      const got = await file.read(offset, bytes);
      if (got === 0) break;
      crc = kernels.crc32c(bytes.subarray(0, got), crc);
      countSlots(words, Math.floor(got / slotSizeBytes), slotSizeBytes / 4, count);
      offset += got;
      onChunk(got);
    }
    if (count.firstRun < 0) count.firstRun = count.run;
    const around = count.run === count.slots ? count.run : count.run + count.firstRun;
    const { entries, tombstones } = count;
    return { sizeBytes, entries, tombstones, crc, longestRun: Math.max(count.longestRun, around) };
  } finally {
    await file.close();
  }
}

/** A slot's last word is its log position. */
function countSlots(words: Uint32Array, slots: number, slotWords: number, count: Count): void {
  let { entries, tombstones, run, longestRun, firstRun } = count;
  for (let word = slotWords - 1; word < slots * slotWords; word += slotWords) {
    const position = words[word]!;
    if (position !== 0) {
      if (position === TOMBSTONE) tombstones += 1;
      else entries += 1;
      run += 1;
      continue;
    }
    if (firstRun < 0) firstRun = run;
    if (run > longestRun) longestRun = run;
    run = 0;
  }
  Object.assign(count, { slots: count.slots + slots, entries, tombstones, run, longestRun, firstRun });
}
