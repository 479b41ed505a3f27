/**
 * What binds a validator's key to what it has done: its own votes that still matter, and the highest slot it has signed a block for. A validator that forgets either
 * can contradict itself and lose its bond; so their absence is not a first start but a loss, unless `makeVoteFiles` has made them.
 *
 * Invariants
 * - `cairn init` makes both files, empty, with the key. Nothing else makes them before the consensus machine has said that old votes cannot matter any more: a
 *   node that starts without them, stops, and starts again, still starts without them.
 * - What `writeVotes` and `writeSlot` were given is synced when they resolve.
 */
import { join } from 'node:path';
import { type Kernels, type Slot, slot as toSlot } from '../../../native/index.ts';
import { DurableRecord, type Files, StorageError } from '../../../storage/index.ts';
import { VOTE_SIZE_BYTES } from '../../codec/index.ts';

/** Most own votes above the last final block that are kept: more than `unfinalizedBlocksMax` blocks can hold. */
export const OWN_VOTES_MAX = 1024;

const VOTES = 'votes';
const PRODUCED_SLOT = 'produced-slot';
/** Names of both files in a node's directory. */
export const VOTE_FILE_NAMES: readonly string[] = [VOTES, PRODUCED_SLOT];

export interface VoteFilesOptions {
  readonly kernels: Pick<Kernels, 'crc32c'>;
  readonly files: Files;
}

interface Records {
  readonly votes: DurableRecord;
  readonly slot: DurableRecord;
}

export class VoteFiles {
  readonly #directory: string;
  readonly #options: VoteFilesOptions;
  #records: Promise<Records> | undefined;

  private constructor(directory: string, options: VoteFilesOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  /** Opens the files of a node's directory when both are there; makes none. Throws what `DurableRecord.open` throws. */
  static async open(
    directory: string,
    options: VoteFilesOptions,
  ): Promise<{ files: VoteFiles; votes: Uint8Array; producedSlot: Slot | null; isAbsent: boolean }> {
    const files = new VoteFiles(directory, options);
    const present = await Promise.all(
      [VOTES, PRODUCED_SLOT].map((name) => options.files.exists(join(directory, name))),
    );
    if (!present.every(Boolean)) return { files, votes: new Uint8Array(0), producedSlot: null, isAbsent: true };
    const { votes, slot } = await files.#open();
    return { files, votes: votes.read() ?? new Uint8Array(0), producedSlot: slotOf(slot.read()), isAbsent: false };
  }

  /** Replaces the own votes, one after the other. */
  async writeVotes(votes: Uint8Array): Promise<void> {
    await (await this.#open()).votes.write(votes);
  }

  /** Replaces the highest slot produced in. */
  async writeSlot(slot: Slot): Promise<void> {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(slot));
    await (await this.#open()).slot.write(bytes);
  }

  async close(): Promise<void> {
    const records = await this.#records;
    await Promise.all([records?.votes.close(), records?.slot.close()]);
  }

  #open(): Promise<Records> {
    this.#records ??= openRecords(this.#directory, this.#options);
    return this.#records;
  }
}

/**
 * Makes the empty files of a new key in a node's directory, which is made too.
 * Throws `StorageError` 'already-initialized' when one is there: an old key's votes are never made empty.
 */
export async function makeVoteFiles(directory: string, options: VoteFilesOptions): Promise<void> {
  const { files } = options;
  await files.makeDirectory(directory);
  for (const name of [VOTES, PRODUCED_SLOT])
    if (await files.exists(join(directory, name)))
      throw new StorageError(
        'already-initialized',
        `${join(directory, name)} is there already: it binds the key that made it`,
      );
  const { votes, slot } = await openRecords(directory, options);
  await Promise.all([votes.close(), slot.close()]);
}

async function openRecords(directory: string, { kernels, files }: VoteFilesOptions): Promise<Records> {
  const valueSizeBytesMax = OWN_VOTES_MAX * VOTE_SIZE_BYTES;
  const votes = await DurableRecord.open(join(directory, VOTES), { kernels, files, valueSizeBytesMax });
  try {
    return { votes, slot: await DurableRecord.open(join(directory, PRODUCED_SLOT), { kernels, files }) };
  } catch (error) {
    await votes.close();
    throw error;
  }
}

function slotOf(bytes: Uint8Array | undefined): Slot | null {
  return bytes === undefined ? null : toSlot(Number(Buffer.from(bytes).readBigUInt64LE(0)));
}
