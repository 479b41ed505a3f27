/**
 * The recent blocks a new node needs, fetched backwards from one trusted block hash, from one peer after the other.
 *
 * Each block is proven by the next: its hash must be the parent hash of the block after it, down from the trusted one. Taken are all blocks inside the recency
 * window (replays are judged by them), and before them as many as hold the beginning of the first one's unfinished history segment.
 *
 * Invariants: a block is staged only when its hash is the one asked for and its bytes are what its leader signed (the hash covers neither the
 * signature nor, unless the entries root is compared, the entries); memory holds headers only, bytes go to a synced store in quarantine; at most
 * `BLOCKS_SIZE_BYTES_MAX` bytes are taken.
 */
import { type Hash, type Kernels, sameBytes } from '../../../native/index.ts';
import { frameBlock, type HistoryStart, type PendingBlocks, StorageError } from '../../../storage/index.ts';
import { type Block, type BlockHeader, decodeBlock } from '../../codec/index.ts';
import type { Timers } from '../../net/timers.ts';
import { PeerFault, type PeerName, type Transport, TransportError } from '../../net/transport.ts';
import { blockBodyFault } from '../chain/block-body.ts';
import { encodeMessage, FETCH_BLOCKS_MAX, FETCH_SIZE_BYTES_MAX, PROTOCOL } from '../protocols.ts';
import { ask } from '../relay/ask.ts';
import { Pace } from './pace.ts';
import type { PeerPool, SyncPeer } from './peer-pool.ts';

/** Most bytes of recent blocks taken: the window's slots at their largest would be more than any sane chain holds. */
const BLOCKS_SIZE_BYTES_MAX: number = 8 * 1024 * 1024 * 1024;

export interface TrustedPoint {
  readonly height: number;
  readonly hash: Hash;
}

export interface BackfillOptions {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly pool: PeerPool;
  readonly trust: TrustedPoint;
  readonly chainId: Hash;
  readonly recencyWindowSlots: number;
  readonly segmentSizeBytes: number;
  /** Blocks that an earlier attempt staged are not asked for again. */
  readonly stage: PendingBlocks;
  readonly onBytes: (bytes: number) => void;
  readonly timers: Timers;
}

/** The staged stretch, ascending. */
export interface TrustedBlocks {
  readonly headers: readonly BlockHeader[];
  /** Index in `headers` of the first block that the history will hold as a block; those before only lend it bytes. */
  readonly first: number;
}

/** Fetches and stages the blocks, from one peer after the other; undefined when no peer is left to ask. Throws what the disk throws. */
export async function fetchTrustedBlocks(options: BackfillOptions): Promise<TrustedBlocks | undefined> {
  const stretch = new Stretch(options);
  while (!stretch.isFarEnough) {
    const came = await options.pool.first((peer) => stretch.fetchFrom(peer));
    if (came === undefined) return undefined;
    if (stretch.hasTrusted) await options.pool.confirm();
  }
  const headers = stretch.descending.toReversed();
  return { headers, first: firstInWindow(options, headers) };
}

/** The blocks so far, from the trusted one down; each was proven by the one before it. */
class Stretch {
  readonly descending: BlockHeader[] = [];
  readonly #options: BackfillOptions;
  #takenBytes = 0;

  constructor(options: BackfillOptions) {
    this.#options = options;
    this.#takeStaged();
  }

  /** Somebody had the trusted block: its hash is real. */
  get hasTrusted(): boolean {
    return this.descending.length > 0;
  }

  get isFarEnough(): boolean {
    return this.hasTrusted && isFarEnough(this.#options, this.descending);
  }

  /** Takes what one peer has of the next blocks. Throws `PeerFault`, `TransportError`; what was right until then stays. */
  async fetchFrom(peer: SyncPeer): Promise<true> {
    const from = this.descending.at(-1)?.height ?? this.#options.trust.height + 1;
    const pace = new Pace(this.#options.timers);
    let came = 0;
    try {
      const blocks = blocksBackwards(this.#options, peer.name, from - 1);
      for await (const block of pace.watch(blocks, ({ bytes }) => bytes.length)) {
        await this.#take(peer.name, block);
        came += 1;
        if (this.isFarEnough) return true;
      }
    } catch (error) {
      // Which of the two is wrong, the peer or the trusted hash, shows only when another peer has that block.
      if (!this.hasTrusted && error instanceof PeerFault) this.#options.pool.suspect(peer, error);
      else throw error;
    }
    if (came === 0) throw new TransportError('refused', `the peer has no block of height ${from - 1}`);
    return true;
  }

  /** Goes on from what is staged. Bytes that are not what they were count for nothing: they are fetched. */
  #takeStaged(): void {
    const { kernels, stage } = this.#options;
    for (
      let bytes = stage.bytes(this.#wanted);
      bytes !== undefined && !this.isFarEnough;
      bytes = stage.bytes(this.#wanted)
    ) {
      const block = orUndefined(() => decodeBlock(kernels, bytes!));
      if (block === undefined || blockFault(this.#options, block, this.#wanted) !== null) return;
      this.#add(block);
    }
  }

  get #wanted(): Hash {
    return this.descending.at(-1)?.parentHash ?? this.#options.trust.hash;
  }

  async #take(peer: PeerName, block: Block): Promise<void> {
    const { header, bytes } = block;
    const fault = blockFault(this.#options, block, this.#wanted);
    if (fault !== null)
      throw new PeerFault(peer, fault, `block ${header.height} is not the one of the trusted hash (${fault})`);
    const { hash, height, slot } = header;
    await this.#options.stage.put({ hash, height, slot, bytes });
    this.#options.onBytes(bytes.length);
    this.#add(block);
    if (this.#takenBytes > BLOCKS_SIZE_BYTES_MAX)
      throw new StorageError('too-large', 'too many bytes of recent blocks');
  }

  #add({ header, bytes }: Block): void {
    this.#takenBytes += bytes.length;
    this.descending.push(header);
  }
}

/** Where the history of the new node begins: roots are those of the complete segments before its first block. */
export function historyStart(
  { headers, first }: TrustedBlocks,
  blockBytes: (header: BlockHeader) => Uint8Array,
  segmentRoots: Uint8Array,
  segmentSizeBytes: number,
): HistoryStart {
  const { height, historyLength } = headers[first]!;
  const border = historyLength - (historyLength % segmentSizeBytes);
  const unfinished = new Uint8Array(historyLength - border);
  for (const header of headers.slice(0, first)) {
    const framed = frameBlock(blockBytes(header));
    const at = header.historyLength - border;
    if (at + framed.length <= 0) continue;
    unfinished.set(at < 0 ? framed.subarray(-at) : framed, Math.max(0, at));
  }
  return { height, segmentRoots: segmentRoots.subarray(0, (border / segmentSizeBytes) * 32), unfinished };
}

/** Whether the stretch holds the window, and the whole of the unfinished segment before its first block. */
function isFarEnough(options: BackfillOptions, descending: readonly BlockHeader[]): boolean {
  const oldest = descending.at(-1)!;
  if (oldest.height === 1) return true;
  const index = descending.findIndex(({ slot }) => slot < oldestSlot(options, descending[0]!));
  if (index < 0) return false;
  const { historyLength } = descending[index]!;
  return oldest.historyLength <= historyLength - (historyLength % options.segmentSizeBytes);
}

function firstInWindow(options: BackfillOptions, ascending: readonly BlockHeader[]): number {
  const oldest = oldestSlot(options, ascending.at(-1)!);
  return Math.max(
    0,
    ascending.findLastIndex(({ slot }) => slot < oldest),
  );
}

/** Transactions of later blocks can refer to the ends of slots from this one on. */
function oldestSlot({ recencyWindowSlots }: BackfillOptions, trusted: BlockHeader): number {
  return trusted.slot - recencyWindowSlots;
}

/** Why a block is not the wanted one, whole, as its leader signed it; null when it is. */
function blockFault({ kernels, chainId }: BackfillOptions, block: Block, wanted: Hash): string | null {
  if (!sameBytes(block.header.hash, wanted)) return 'wrong-block';
  if (!sameBytes(block.header.chainId, chainId)) return 'wrong-chain';
  return blockBodyFault(kernels, block);
}

function orUndefined<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

async function* blocksBackwards(
  { kernels, transport }: BackfillOptions,
  peer: PeerName,
  from: number,
): AsyncGenerator<Block> {
  const request = encodeMessage({ from, countMax: FETCH_BLOCKS_MAX });
  const sizeBytesMax = 2 * FETCH_SIZE_BYTES_MAX;
  const question = { protocol: PROTOCOL.backfill, request, framesMax: FETCH_BLOCKS_MAX, sizeBytesMax };
  for await (const frame of ask(transport, peer, question)) {
    try {
      yield decodeBlock(kernels, frame);
    } catch (error) {
      throw new PeerFault(peer, 'malformed-block', (error as Error).message);
    }
  }
}
