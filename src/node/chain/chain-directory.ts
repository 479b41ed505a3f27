/**
 * What lies in a chain node's data directory: state (op log and tables), history, pending blocks, certificates, evictions, hand-overs, vote files.
 *
 * Invariant: all parts are open, or none: who could not open one has closed the others.
 */
import { join } from 'node:path';
import {
  type Disk,
  HistoryStore,
  makeDurableDirectory,
  PendingBlocks,
  realDisk,
  StateStore,
} from '../../../storage/index.ts';
import { type Genesis, readEvictions } from '../../ledger/index.ts';
import { EvictionStore } from '../evictions/eviction-store.ts';
import { HandOverStore } from '../hand-overs/hand-over-store.ts';
import type { Logger } from '../log.ts';
import { CertificateStore } from './certificate-store.ts';
import type { CheckDeps } from './check-block.ts';
import { requireDiskRoom } from './disk-room.ts';
import { initializeState } from './open-root.ts';
import { VoteFiles } from './vote-files.ts';

export interface ChainDirectoryOptions {
  readonly directory: string;
  readonly genesis: Genesis;
  readonly check: CheckDeps;
  readonly log: Logger;
  /** The real one unless given. */
  readonly disk?: Disk;
  /** Source of the tables' secrets; the machine's unless given. */
  readonly randomBytes?: (sizeBytes: number) => Uint8Array;
}

/** The parts of a data directory, each open; closed together. */
export interface ChainDirectory {
  readonly disk: Disk;
  readonly directory: string;
  readonly state: StateStore;
  readonly history: HistoryStore;
  readonly pending: PendingBlocks;
  readonly certificates: CertificateStore;
  readonly evictions: EvictionStore;
  readonly handOvers: HandOverStore;
  readonly votes: Awaited<ReturnType<typeof VoteFiles.open>>;
}

/** Closes every part. */
export async function closeDirectory({
  state,
  history,
  pending,
  certificates,
  evictions,
  handOvers,
  votes,
}: ChainDirectory): Promise<void> {
  await Promise.all([
    state.close(),
    history.close(),
    pending.close(),
    certificates.close(),
    evictions.close(),
    handOvers.close(),
    votes.files.close(),
  ]);
}

/** Opens every part, or makes it; none stays open when one cannot be. Throws `CorruptionError`, `StorageError`, `FilesError`. */
export async function openDirectory(options: ChainDirectoryOptions): Promise<ChainDirectory> {
  const { directory, genesis, check, disk = realDisk(), randomBytes } = options;
  const { kernels } = check;
  const { files, keyValues } = disk;
  const at = (name: string): string => join(directory, name);
  await makeDurableDirectory(files, directory);
  await requireDiskRoom(disk, directory);
  const random = randomBytes === undefined ? {} : { randomBytes };
  const { chainId } = check.rules;
  const state = await StateStore.open({ directory: at('state'), kernels, chainId, files, ...random });
  const opened: { close(): Promise<void> }[] = [state];
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    opened.push(part);
    return part;
  };
  const shape = { kernels, ...genesis.history, files, keyValues };
  try {
    await initializeState(state, genesis, kernels);
    const { range } = readEvictions(state);
    return {
      disk,
      directory,
      state,
      evictions: keep(await EvictionStore.open(at('evictions'), kernels, range, disk)),
      history: keep(await HistoryStore.open({ directory: at('history'), ...shape })),
      pending: keep(await PendingBlocks.open({ directory: at('pending'), files, keyValues })),
      certificates: keep(await CertificateStore.open(at('certificates'), disk)),
      handOvers: keep(await HandOverStore.open(at('hand-overs'), kernels, disk)),
      votes: await VoteFiles.open(directory, { kernels, files }),
    };
  } catch (error) {
    await Promise.all(opened.map((part) => part.close()));
    throw error;
  }
}
