/**
 * A state store beside plain Maps, and what may happen to both: batches, one by one or queued; growth; closing, killing and rebuilding; and a
 * fast sync, after which the store is a synced copy of itself, while the old one goes on beside it as its twin.
 */

import type { Commitment } from '../../storage/commitment/commitment.ts';
import { verifyStateProof } from '../../storage/commitment/state-proof.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { type Random, seededRandom } from '../../storage/files/simulated-inode.ts';
import { lmdbKeyValues } from '../../storage/key-value/lmdb-key-values.ts';
import { StateStore, type StateStoreOptions } from '../../storage/state.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { checkManifest } from '../../storage/sync/manifest.ts';
import { readPiece } from '../../storage/sync/piece.ts';
import { readPieceFrame } from '../../storage/sync/state-source.ts';
import type { StateStage } from '../../storage/sync/state-stage.ts';
import { SyncStage } from '../../storage/sync/sync-stage.ts';
import { kernels } from './kernels-fixture.ts';
import { addressOf, randomOps, StateModel } from './state-model.ts';
import { segmentFiles } from './sync-source.ts';

const CHAIN_ID = new Uint8Array(32).fill(5);
const LOG = { kernels, chainId: CHAIN_ID, segmentSizeBytes: 4096, retainHeights: 4 } as const;
const ACCOUNTS = 150;
/** Accounts that come and go together: more than two shards of 2^7 slots may hold. */
const GROWTH = 150;

export const STEPS = ['append', 'queue', 'grow', 'reopen', 'kill', 'rebuild', 'sync'] as const;
export type Step = (typeof STEPS)[number];

/** An open store and where it is. */
interface Place {
  readonly disk: SimulatedDisk;
  readonly directory: string;
  store: StateStore;
}

const optionsOf = ({ disk, directory }: Omit<Place, 'store'>): StateStoreOptions => ({
  ...LOG,
  directory,
  files: disk,
  shardCountLog2: 1,
  shardSlotCountLog2: 7,
  randomBytes: (size) => new Uint8Array(size).fill(3),
});

/** Opens a state, which builds its tables, and closes it. */
async function rootOf(disk: SimulatedDisk, directory: string): Promise<Commitment['root']> {
  const store = await StateStore.open(optionsOf({ disk, directory }));
  const { root } = store.commitment;
  await store.close();
  return root;
}

export class StateWorld {
  readonly model: StateModel = new StateModel();
  readonly #random: Random;
  #place: Place;
  /** What the store was synced from: fed the same batches. */
  #twin: Place | undefined;
  /** State roots by height. */
  readonly #roots: Uint8Array[] = [];
  #growths = 0;

  private constructor(random: Random, place: Place) {
    this.#random = random;
    this.#place = place;
  }

  static async open(seed: number): Promise<StateWorld> {
    const at = { disk: new SimulatedDisk(seed), directory: '/first/state' };
    return new StateWorld(seededRandom(seed), { ...at, store: await StateStore.open(optionsOf(at)) });
  }

  get store(): StateStore {
    return this.#place.store;
  }

  async step(step: Step): Promise<void> {
    if (step === 'append') for (let count = this.#below(8); count >= 0; count--) await Promise.all(this.#append(1));
    else if (step === 'queue') await Promise.all(this.#append(2 + this.#below(6)));
    else if (step === 'grow') await Promise.all(this.#append(1, this.#growth()));
    else if (step === 'sync') await this.#sync();
    else await this.#reopen(step);
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  /** Makes many new accounts, every other time deletes them all. */
  #growth(): StateOp[] {
    const isUp = this.#growths++ % 2 === 0;
    return Array.from({ length: GROWTH }, (_, n) => {
      const address = addressOf(ACCOUNTS + n);
      return isUp ? { kind: 'putAccount', address, balance: BigInt(n) } : { kind: 'deleteAccount', address };
    });
  }

  /** Queues batches, the twin's too. @returns what they wait for */
  #append(count: number, extra: readonly StateOp[] = []): Promise<void>[] {
    const waiting: Promise<void>[] = [];
    let before: Commitment = this.store.commitment;
    // A caller that has commitments passes all of those of its chain.
    const isKnown = this.#random() < 0.5;
    for (let done = 0; done < count; done++) {
      const ops = this.model.compacted(before, [...extra, ...randomOps(this.#random, 40, ACCOUNTS)]);
      const batch = this.model.encode(before, ops);
      this.model.commit(ops);
      before = before.next(batch);
      this.#roots.push(before.root);
      waiting.push(this.store.append(batch, isKnown ? before : undefined));
      if (this.#twin !== undefined) waiting.push(this.#twin.store.append(batch));
    }
    return waiting;
  }

  async #reopen(how: 'reopen' | 'kill' | 'rebuild'): Promise<void> {
    const place = this.#place;
    if (how === 'kill') place.disk.restartProcess();
    else await place.store.close();
    place.store = await StateStore.open({ ...optionsOf(place), rebuild: how === 'rebuild' });
    const { rebuilt } = place.store.openReport;
    if (rebuilt !== (how !== 'reopen')) throw new TypeError(`after ${how} the tables were rebuilt: ${rebuilt}`);
  }

  /** Takes a state of some height through a quarantine, from a store that goes on meanwhile; catches up; goes on with the copy. */
  async #sync(): Promise<void> {
    const source = this.store;
    const heights = source.heights();
    if (heights === undefined) return;
    const height = heights.first + this.#below(heights.last - heights.first + 1);
    const copy = { disk: new SimulatedDisk(height), directory: '/synced/state' };
    // Held until the copy has the batches behind the target too.
    const release = source.pin(source.manifest(height)!.firstOp);
    await this.#quarantine(copy.disk, height);
    const store = await StateStore.open(optionsOf(copy));
    for await (const batch of source.readBatches(height + 1)) await store.append(batch);
    release();
    await this.#twin?.store.close();
    this.#twin = this.#place;
    this.#place = { ...copy, store };
  }

  async #quarantine(disk: SimulatedDisk, height: number): Promise<void> {
    const source = this.store;
    const manifest = source.manifest(height)!;
    const { firstOp, opCount } = manifest;
    const target = { height, root: this.#roots[height]! as Commitment['root'] };
    const start = await readPieceFrame(source, { from: firstOp, to: firstOp + 1 }, opCount);
    const checked = checkManifest({ ...LOG, target }, manifest, start);
    const stage = await SyncStage.open({
      ...LOG,
      directory: '/quarantine',
      disk: { files: disk, keyValues: lmdbKeyValues },
      sizeBytesMax: 1e8,
      pieceOps: 64,
    });
    const state = await stage.openState(checked);
    while (!state.isWhole) await this.#takePieces(state);
    await state.finish();
    // With the tables' usual shards, or small ones, which soon grow.
    await stage.settleState(target, ...(this.#random() < 0.5 ? [] : [(directory: string) => rootOf(disk, directory)]));
    await stage.adopt('/synced');
  }

  /** Some pieces, in any order, while the source may go on. */
  async #takePieces(state: StateStage): Promise<void> {
    const spans = Array.from({ length: 4 }, () => state.take()).filter((span) => span !== undefined);
    for (const span of spans.sort(() => this.#random() - 0.5)) {
      const frame = await readPieceFrame(this.store, span, state.tree.opCount);
      await state.keep(span, readPiece(kernels, frame, span.from, state.tree));
      if (this.#random() < 0.1) await Promise.all(this.#append(1));
    }
  }

  /** What is not as it must be, or undefined. */
  async difference(): Promise<string | undefined> {
    const { store } = this;
    // Deletion of segments ends behind the acknowledgement.
    await new Promise(setImmediate);
    const root = this.#roots.at(-1);
    if (root !== undefined && Buffer.compare(store.commitment.root, root) !== 0) return 'another state root';
    const found = this.model.difference(store) ?? this.#unproven();
    if (found !== undefined || this.#twin === undefined) return found;
    if (Buffer.compare(this.#twin.store.commitment.root, store.commitment.root) !== 0)
      return 'the twin has another root';
    return this.#fileDifference(this.#twin);
  }

  /** The oldest entries of all are provable: their ops lie near where the log was cut last. */
  #unproven(): string | undefined {
    const { root } = this.store.commitment;
    let left = 3;
    for (const { kind, key, op } of this.store.commitment.oldestActive()) {
      const proof = this.store.prove(kind, key, new Uint8Array(0));
      const verdict = proof === undefined ? undefined : verifyStateProof(kernels, proof, root);
      if (verdict?.holds !== true) return `the proof of op ${op} does not hold: ${verdict?.reason}`;
      left -= 1;
      if (left === 0) break;
    }
    return undefined;
  }

  /** Both logs hold the same files, once the twin has deleted what the copy never had; each byte of them equal. */
  async #fileDifference(twin: Place): Promise<string | undefined> {
    const mine = await segmentFiles(this.#place.disk, `${this.#place.directory}/log`);
    const theirs = await segmentFiles(twin.disk, `${twin.directory}/log`);
    const first = [...mine.keys()].sort()[0]!;
    for (const [name, bytes] of theirs)
      if (name >= first && mine.get(name) !== bytes) return `${name} is not the twin's`;
    for (const name of mine.keys()) if (!theirs.has(name)) return `${name}, which the twin does not have`;
    return undefined;
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.#twin?.store.close();
  }
}
