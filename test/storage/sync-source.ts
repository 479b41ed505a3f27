/** A state to sync from, in memory: a model of a log whose pieces and proofs are made in the plainest way. */
import { byteKey, type Hash } from '../../native/index.ts';
import { leafHash, nodeHash } from '../../storage/commitment/merkle.ts';
import type { RangeProof } from '../../storage/commitment/range-proof.ts';
import { stateRoot } from '../../storage/commitment/state-root.ts';
import { StorageError } from '../../storage/errors.ts';
import type { Files } from '../../storage/files/files.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { OpLog } from '../../storage/oplog/op-log.ts';
import type { OpRange } from '../../storage/oplog/positions.ts';
import type { StateManifest } from '../../storage/sync/manifest.ts';
import type { StateSource } from '../../storage/sync/state-source.ts';
import { kernels } from './kernels-fixture.ts';
import { LogModel, randomLogOps } from './log-model.ts';

const packed = (hashes: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(hashes));

export class ModelSource implements StateSource {
  readonly model: LogModel;
  /** The manifest of the model's last height. */
  readonly tip: StateManifest;
  readonly root: Hash;
  readonly firstOp: number;
  readonly opCount: number;
  /** Pins not let go of. */
  pins = 0;
  readonly #leaves: readonly Uint8Array[];
  readonly #levels: Uint8Array[][];

  /** @param floor of the state after the last batch */
  constructor(model: LogModel, floor: number) {
    this.model = model;
    this.opCount = model.opCount;
    this.#leaves = model.leaves(0, model.opCount);
    this.#levels = [this.#leaves.map((leaf) => leafHash(kernels, leaf))];
    for (let level = this.#levels[0]!; level.length > 1; level = this.#levels.at(-1)!)
      this.#levels.push(
        Array.from({ length: Math.ceil(level.length / 2) }, (_, i) =>
          level[2 * i + 1] === undefined ? level[2 * i]! : nodeHash(kernels, level[2 * i]!, level[2 * i + 1]!),
        ),
      );
    const segment = Math.floor(
      model.batches[this.heightOf(Math.min(floor, this.opCount - 1))]!.frameOffset / model.segmentSizeBytes,
    );
    this.firstOp = model.batches[model.firstHeight(segment)]!.firstOp;
    const summary = {
      opsRoot: this.#levels.at(-1)![0]!,
      activityRoot: new Uint8Array(32).fill(7),
      opCount: this.opCount,
      floor,
    };
    this.tip = { ...summary, firstOp: this.firstOp };
    this.root = stateRoot(kernels, summary);
  }

  /** Height of the last batch. */
  get height(): number {
    return this.model.batches.length - 1;
  }

  heights(): { first: number; last: number } {
    return { first: this.height, last: this.height };
  }

  manifest(height: number): StateManifest | undefined {
    return height === this.height ? this.tip : undefined;
  }

  heightOf(op: number): number {
    return this.model.heightOf(op);
  }

  async readOps(from: number, to: number): Promise<OpRange> {
    if (from < this.firstOp || to > this.opCount) throw new StorageError('not-found', `ops ${from} .. ${to}`);
    const leaves = this.#leaves.slice(from, to);
    const offsets = new Uint32Array(leaves.length + 1);
    leaves.forEach((leaf, index) => {
      offsets[index + 1] = offsets[index]! + leaf.length;
    });
    return { firstOp: from, bytes: packed(leaves), offsets };
  }

  rangeProof(from: number, to: number, size: number): RangeProof {
    if (size !== this.opCount) throw new TypeError('the model proves its whole tree only');
    const [left, right]: Uint8Array[][] = [[], []];
    for (let [level, low, high] = [0, from, to]; this.#levels[level]!.length > 1; level++) {
      const nodes = this.#levels[level]!;
      if (low % 2 === 1) left!.unshift(nodes[low - 1]!);
      if (high % 2 === 1 && high < nodes.length) right!.push(nodes[high]!);
      [low, high] = [Math.floor(low / 2), Math.ceil(high / 2)];
    }
    return { left: packed(left!), right: packed(right!) };
  }

  pin(): () => void {
    this.pins += 1;
    let held = true;
    return () => {
      if (held) this.pins -= 1;
      held = false;
    };
  }
}

export interface ModelPlan {
  readonly seed: number;
  readonly heights: number;
  readonly opsMax: number;
  readonly segmentSizeBytes?: number;
  /** Which part of the ops lies below the floor. */
  readonly floorPart?: number;
  /** Longest record value. */
  readonly values?: number;
  readonly chainId?: Uint8Array;
}

export const MODEL_CHAIN: Uint8Array = new Uint8Array(32).fill(5);

/** A random log with rising floors, as a source. */
export function modelSource(plan: ModelPlan): ModelSource {
  const random = seededRandom(plan.seed);
  const model = new LogModel(plan.chainId ?? MODEL_CHAIN, plan.segmentSizeBytes ?? 4096, 32);
  const part = plan.floorPart ?? 0.5;
  for (let height = 0; height < plan.heights; height++)
    model.add(randomLogOps(random, plan.opsMax, plan.values), Math.floor(model.opCount * part));
  return new ModelSource(model, Math.floor(model.opCount * part));
}

/** Every segment file of a folder, by name. */
export async function segmentFiles(files: Files, directory: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of await files.list(directory)) {
    if (!name.startsWith('segment-')) continue;
    const file = await files.open(`${directory}/${name}`, 'read');
    const bytes = new Uint8Array(await file.sizeBytes());
    await file.read(0, bytes);
    await file.close();
    found.set(name, byteKey(bytes));
  }
  return found;
}

/** The segment files of a node that lived through all of the model's batches, from the source's first segment on. */
export async function honestSegments(
  files: Files,
  directory: string,
  source: ModelSource,
): Promise<Map<string, string>> {
  const { model } = source;
  const { chainId, segmentSizeBytes } = model;
  const log = await OpLog.open({ directory, files, kernels, chainId, segmentSizeBytes, retainHeights: 1000 });
  for (const { bytes, frontier } of model.batches) await log.append(bytes, frontier).durable;
  await log.close();
  const first = Math.floor(model.batches[model.heightOf(source.firstOp)]!.frameOffset / segmentSizeBytes);
  const all = await segmentFiles(files, directory);
  return new Map([...all].filter(([name]) => Number(name.slice(8)) >= first));
}
