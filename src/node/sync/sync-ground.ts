/** What a sync of any kind stands on: its options, the machine under it, and the place it may fill. */
import { randomBytes } from 'node:crypto';
import type { Hash, Kernels } from '../../../native/index.ts';
import { type Disk, type Files, realDisk } from '../../../storage/index.ts';
import { chainIdOf, type Genesis } from '../../ledger/index.ts';
import { createLibp2pTransport } from '../../net/libp2p-transport.ts';
import { realTimers, type Timers } from '../../net/timers.ts';
import type { Transport } from '../../net/transport.ts';
import { VOTE_FILE_NAMES } from '../chain/vote-files.ts';
import type { Logger } from '../log.ts';
import { FastSyncError } from './fast-sync-error.ts';
import { type FastSyncProgress, ProgressMeter } from './progress-meter.ts';
import type { TrustedPoint } from './trusted-blocks.ts';

/** Where the op log of a node is cut unless its options say otherwise. */
const SEGMENT_SIZE_BYTES: number = 64 * 1024 * 1024;

export interface FastSyncOptions {
  readonly genesis: Genesis;
  readonly kernels: Kernels;
  /** Peers' addresses. */
  readonly from: readonly string[];
  /** A final block that is trusted; without it, what genesis' validators and those they have handed over to show to be final (choose-trust.ts). */
  readonly trust?: TrustedPoint;
  /** The live directory to make: must be absent or empty. */
  readonly dataDirectory: string;
  readonly log: Logger;
  /** A transport not yet started, to be stopped here; one of libp2p's unless given. */
  readonly transport?: Transport;
  /** The transport's clock. */
  readonly timers?: Timers;
  /** The real one unless given. */
  readonly disk?: Disk;
  /** Source of the tables' secrets; the machine's unless given. */
  readonly randomBytes?: (sizeBytes: number) => Uint8Array;
  /** Most bytes of op log taken. */
  readonly sizeBytesMax?: number;
  /** Where op log segments are cut, bytes: as every node of the chain does. */
  readonly stateSegmentSizeBytes?: number;
  /** Most bytes of waiting pieces in memory. */
  readonly heldSizeBytesMax?: number;
  /** Ops asked for at a time: `PIECE_OPS` unless given, which is also the most. */
  readonly pieceOps?: number;
  /** How much history to take: what a node needs (`recent`, unless given), or every block from the first one on. */
  readonly history?: 'recent' | 'full';
  /** Told of each step forward. */
  readonly onProgress?: (progress: FastSyncProgress) => void;
}

/** The options, and what follows from them. */
export interface SyncGround {
  readonly options: FastSyncOptions;
  readonly disk: Disk;
  /** Started. */
  readonly transport: Transport;
  readonly timers: Timers;
  readonly chainId: Hash;
  readonly meter: ProgressMeter;
  /** Where op log segments are cut, bytes. */
  readonly stateSegmentSizeBytes: number;
}

/** Runs a sync into a place that is vacant, over a transport that is stopped afterwards. Throws `FastSyncError` 'not-empty', and what the sync throws. */
export async function onVacantGround<T>(
  options: FastSyncOptions,
  sync: (ground: SyncGround) => Promise<T>,
): Promise<T> {
  const {
    disk = realDisk(),
    timers = realTimers,
    kernels,
    genesis,
    stateSegmentSizeBytes = SEGMENT_SIZE_BYTES,
  } = options;
  await requireVacant(disk.files, options.dataDirectory);
  const transport = options.transport ?? (await newTransport(options));
  await transport.start();
  try {
    const chainId = chainIdOf(kernels, genesis);
    const meter = new ProgressMeter(timers, options.onProgress);
    return await sync({ options, disk, transport, timers, chainId, meter, stateSegmentSizeBytes });
  } finally {
    await transport.stop();
  }
}

/** A transport for one sync, under a name of its own. */
function newTransport({ log }: FastSyncOptions): Promise<Transport> {
  return createLibp2pTransport({ networkKeySeed: new Uint8Array(randomBytes(32)), listen: [], log });
}

/** Throws `FastSyncError` 'not-empty'. */
async function requireVacant(files: Files, directory: string): Promise<void> {
  if (!(await files.exists(directory))) return;
  const names = await files.list(directory);
  if (names.length === 0) return;
  // They are a key's memory of what it has signed: never overwritten, never moved by anything but their owner.
  const isFresh = names.every((name) => VOTE_FILE_NAMES.includes(name));
  const what = isFresh
    ? `${directory} holds a validator's vote files (${names.join(', ')}): move them away, sync, and move them back before the validator starts`
    : `${directory} holds something: give a directory that is absent or empty`;
  throw new FastSyncError('not-empty', what);
}
