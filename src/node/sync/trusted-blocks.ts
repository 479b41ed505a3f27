/**
 * The recent blocks a new node needs, fetched backwards from one trusted block hash.
 *
 * Each block is proven by the next: its hash must be the parent hash of the block after it, down from the trusted one. Taken are all blocks inside the recency
 * window (replays are judged by them), and before them as many as hold the beginning of the first one's unfinished history segment.
 *
 * Invariants: a block is staged only when its hash is the one asked for and its bytes are what its leader signed (the hash covers neither the
 * signature nor, unless the entries root is compared, the entries); memory holds headers only, bytes go to a synced store in quarantine; at most
 * `BLOCKS_SIZE_BYTES_MAX` bytes are taken.
 */
import { type Hash, type Kernels, sameBytes } from '../../../native/index.ts';
import { frameBlock, type HistoryStart, type PendingBlocks } from '../../../storage/index.ts';
import { type Block, type BlockHeader, decodeBlock } from '../../codec/index.ts';
import { PeerFault, type PeerName, type Transport } from '../../net/transport.ts';
import { blockBodyFault } from '../chain/block-body.ts';
import { encodeMessage, FETCH_BLOCKS_MAX, FETCH_SIZE_BYTES_MAX, PROTOCOL } from '../protocols.ts';
import { ask } from '../relay/ask.ts';

/** Most bytes of recent blocks taken: the window's slots at their largest would be more than any sane chain holds. */
const BLOCKS_SIZE_BYTES_MAX: number = 8 * 1024 * 1024 * 1024;

export interface TrustedPoint {
  readonly height: number;
  readonly hash: Hash;
}

export interface BackfillOptions {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly peer: PeerName;
  readonly trust: TrustedPoint;
  readonly chainId: Hash;
  readonly recencyWindowSlots: number;
  readonly segmentSizeBytes: number;
  readonly stage: PendingBlocks;
  readonly onBytes: (bytes: number) => void;
}

/** The staged stretch, ascending. */
export interface TrustedBlocks {
  readonly headers: readonly BlockHeader[];
  /** Index in `headers` of the first block that the history will hold as a block; those before only lend it bytes. */
  readonly first: number;
}

/** Fetches and stages the blocks. Throws `PeerFault` when the peer sends others than those asked for. */
export async function fetchTrustedBlocks(options: BackfillOptions): Promise<TrustedBlocks> {
  const descending: BlockHeader[] = [];
  let wanted: Hash = options.trust.hash;
  let takenBytes = 0;
  for (;;) {
    const last = descending.at(-1);
    if (last !== undefined && isFarEnough(options, descending)) break;
    const from = last === undefined ? options.trust.height : last.height - 1;
    let came = 0;
    for await (const block of blocksBackwards(options, from)) {
      requireWanted(options, block, wanted);
      takenBytes += block.bytes.length;
      if (takenBytes > BLOCKS_SIZE_BYTES_MAX)
        throw new PeerFault(options.peer, 'too-large', 'too many bytes of blocks');
      const { header, bytes } = block;
      await options.stage.put({ hash: header.hash, height: header.height, slot: header.slot, bytes });
      options.onBytes(bytes.length);
      descending.push(header);
      wanted = header.parentHash;
      came += 1;
      if (isFarEnough(options, descending)) break;
    }
    if (came === 0) throw new PeerFault(options.peer, 'missing-blocks', `the peer has no block of height ${from}`);
  }
  const headers = descending.reverse();
  return { headers, first: firstInWindow(options, headers) };
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

function requireWanted({ kernels, peer, chainId }: BackfillOptions, block: Block, wanted: Hash): void {
  const { header } = block;
  if (!sameBytes(header.hash, wanted))
    throw new PeerFault(peer, 'wrong-block', `block ${header.height} is not the one the chain of hashes asks for`);
  if (!sameBytes(header.chainId, chainId))
    throw new PeerFault(peer, 'wrong-chain', 'the trusted block is of another chain');
  const fault = blockBodyFault(kernels, block);
  if (fault !== null)
    throw new PeerFault(peer, fault, `the bytes of block ${header.height} are not what its leader signed`);
}

async function* blocksBackwards({ kernels, transport, peer }: BackfillOptions, from: number): AsyncGenerator<Block> {
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
