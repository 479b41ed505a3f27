import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hash } from '../../native/index.ts';
import { diskFiles } from '../../storage/files/disk-files.ts';
import type { Files } from '../../storage/files/files.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { lmdbKeyValues } from '../../storage/key-value/lmdb-key-values.ts';
import { LIARS_MAX, LiarList } from '../../storage/sync/liar-list.ts';
import { type CheckedManifest, checkManifest } from '../../storage/sync/manifest.ts';
import { readPiece } from '../../storage/sync/piece.ts';
import type { OpSpan } from '../../storage/sync/piece-plan.ts';
import { readPieceFrame, type StateSource } from '../../storage/sync/state-source.ts';
import { StateStage, type StateStageOptions } from '../../storage/sync/state-stage.ts';
import { SyncStage, type SyncStageOptions } from '../../storage/sync/sync-stage.ts';
import { kernels } from './kernels-fixture.ts';
import { LogModel } from './log-model.ts';
import { honestSegments, MODEL_CHAIN, ModelSource, modelSource, segmentFiles } from './sync-source.ts';

const source = modelSource({ seed: 11, heights: 60, opsMax: 60 });
let segments: Map<string, string>;
beforeAll(async () => {
  segments = await honestSegments(new SimulatedDisk(0), '/honest', source);
});

async function checkedOf(of: ModelSource): Promise<CheckedManifest> {
  const start = await readPieceFrame(of, { from: of.firstOp, to: of.firstOp + 1 }, of.opCount);
  const target = { height: of.height, root: of.root };
  return checkManifest({ kernels, chainId: MODEL_CHAIN, target, segmentSizeBytes: 4096 }, of.tip, start);
}

const options = (files: Files): SyncStageOptions => ({
  directory: '/data/quarantine',
  kernels,
  chainId: MODEL_CHAIN,
  sizeBytesMax: 1e7,
  segmentSizeBytes: 4096,
  disk: { files, keyValues: lmdbKeyValues },
});
const stageOptions = async (files: Files, of = source): Promise<StateStageOptions> => ({
  ...options(files),
  directory: '/data/quarantine',
  files,
  checked: await checkedOf(of),
});

/** Spans of the plan cut into small ones, so that a small state has many pieces. */
function cut(stage: StateStage, random: () => number): OpSpan | undefined {
  const span = stage.take();
  if (span === undefined) return undefined;
  const to = Math.min(span.to, span.from + 1 + Math.floor(random() * 90));
  return { from: span.from, to };
}

async function keep(stage: StateStage, span: OpSpan, of = source): Promise<void> {
  const frame = await readPieceFrame(of, span, of.opCount);
  await stage.keep(span, readPiece(kernels, frame, span.from, of.tip));
}

/** Feeds a stage until it is whole: pieces of random sizes, out of order. */
async function feed(stage: StateStage, seed: number, of = source): Promise<void> {
  const random = seededRandom(seed);
  const out: OpSpan[] = [];
  while (!stage.isWhole) {
    const span = out.length < 8 ? cut(stage, random) : undefined;
    if (span !== undefined) out.push(span);
    if (span !== undefined && random() < 0.7) continue;
    const [answered] = out.splice(Math.floor(random() * out.length), 1);
    if (answered === undefined) throw new TypeError('nothing can be asked for, and the stage is not whole');
    if (random() < 0.1) stage.giveBack(answered);
    else await keep(stage, answered, of);
  }
}

const settled = async (): Promise<Hash> => source.root;

describe('the state stage', () => {
  it('builds the very segment files of a node that lived through it all, in whatever order pieces come', async () => {
    for (let seed = 0; seed < 12; seed++) {
      const disk = new SimulatedDisk(seed);
      const heldSizeBytesMax = seed % 3 === 0 ? 0 : seed % 3 === 1 ? 6_000 : 1e7;
      const stage = await StateStage.open({ ...(await stageOptions(disk)), heldSizeBytesMax });
      await feed(stage, seed);
      await stage.finish();
      expect(await segmentFiles(disk, '/data/quarantine/state/log')).toEqual(segments);
      expect(await disk.list('/data/quarantine/pieces')).toEqual([]);
    }
  });

  it('goes on after being closed at any point, asking for nothing that it has', async () => {
    for (let seed = 0; seed < 12; seed++) {
      const disk = new SimulatedDisk(seed);
      const random = seededRandom(seed);
      let keptOps = 0;
      for (let life = 0; ; life++) {
        const stage = await StateStage.open({ ...(await stageOptions(disk)), heldSizeBytesMax: 6_000 });
        if (life > 0) expect(stage.lowestMissing).toBeGreaterThanOrEqual(source.firstOp);
        let [asked, missing] = [0, 0];
        for (let count = 0; count < 6 && !stage.isWhole; count++) {
          const span = cut(stage, random);
          if (span === undefined) break;
          // One in four is never answered: what follows must wait.
          if (random() < 0.25) {
            missing += 1;
            continue;
          }
          await keep(stage, span);
          asked += span.to - span.from;
        }
        keptOps += asked;
        if (stage.isWhole && missing === 0) {
          await stage.finish();
          break;
        }
        await stage.close();
      }
      // A clean stop loses nothing: no op was asked for twice.
      expect(keptOps).toBe(source.opCount - source.firstOp);
      expect(await segmentFiles(disk, '/data/quarantine/state/log')).toEqual(segments);
    }
  });

  it('never shows anything else than the honest files, wherever the power is cut, and always comes to the end', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const disk = new SimulatedDisk(seed);
      const random = seededRandom(seed);
      let isLive = false;
      for (let life = 0; !isLive; life++) {
        if (life < 6) disk.fault = { at: disk.operations + Math.floor(random() * 120), kind: 'cut' };
        try {
          const stage = await SyncStage.open({ ...options(disk), heldSizeBytesMax: seed % 2 === 0 ? 0 : 6_000 });
          const state = await stage.openState(await checkedOf(source));
          await feed(state, seed * 100 + life);
          await state.finish();
          await stage.settleState({ height: source.height, root: source.root }, settled);
          await stage.adopt('/data/live');
        } catch (error) {
          expect(error).toHaveProperty(disk.powered ? 'never' : 'message');
        }
        disk.reboot();
        isLive = await disk.exists('/data/live');
      }
      expect(await segmentFiles(disk, '/data/live/state/log')).toEqual(segments);
      expect(await disk.list('/data/live')).toEqual(['state']);
    }
  });

  it('holds in memory what it was allowed, and the batch under way', async () => {
    // One batch holds nearly everything, so that its pieces wait for its end.
    const model = new LogModel(MODEL_CHAIN, 4096, 32);
    model.add(
      Array.from({ length: 3_000 }, (_, n) => {
        const address = new Uint8Array(20);
        new DataView(address.buffer).setUint32(0, n);
        return { kind: 'putAccount', address, balance: BigInt(n) } as const;
      }),
      0,
    );
    const large = new ModelSource(model, 0);
    const disk = new SimulatedDisk(1);
    const heldSizeBytesMax = 10_000;
    const open = async (): Promise<StateStage> =>
      StateStage.open({ ...(await stageOptions(disk, large)), heldSizeBytesMax });
    let stage = await open();
    const span = stage.take()!;
    const pieces = Array.from({ length: 30 }, (_, index) => ({ from: index * 100, to: index * 100 + 100 }));
    stage.giveBack(span);
    // All but the first: nothing can be put together.
    for (const piece of pieces.slice(1)) {
      await keep(stage, piece, large);
      expect(stage.waitingBytes).toBeLessThanOrEqual(heldSizeBytesMax);
    }
    await keep(stage, pieces[0]!, large);
    expect(stage.waitingBytes).toBe(64 + 2_999 * 32);
    // What is beyond the maximum stands in files: a kill loses no more than that.
    const filed = (await disk.list('/data/quarantine/pieces')).length;
    expect(filed).toBeGreaterThanOrEqual(30 - Math.ceil((2 * heldSizeBytesMax) / 3_200) - 1);
    disk.powerCut();
    disk.reboot();
    stage = await open();
    await stage.close();
  });

  it('takes no log for the target’s that is not, and begins anew', async () => {
    const twin = modelSource({ seed: 12, heights: 40, opsMax: 60, floorPart: 0 });
    const whole = modelSource({ seed: 11, heights: 60, opsMax: 60, floorPart: 0 });
    const disk = new SimulatedDisk(1);
    const stage = await SyncStage.open(options(disk));
    const wrong = await stage.openState(await checkedOf(twin));
    for (let count = 0; count < 12; count++) {
      const span = wrong.take()!;
      const to = span.from + 100;
      await keep(wrong, { from: span.from, to }, twin);
    }
    await stage.close();
    const again = await SyncStage.open(options(disk));
    const state = await again.openState(await checkedOf(whole));
    const span = state.take()!;
    expect(span.from).toBeGreaterThan(0);
    await expect(keep(state, span, whole)).rejects.toMatchObject({ code: 'wrong-root' });
    await again.discardState();
    const fresh = await again.openState(await checkedOf(whole));
    await feed(fresh, 1, whole);
    await fresh.finish();
    await again.close();
    expect(await segmentFiles(disk, '/data/quarantine/state/log')).toEqual(
      await honestSegments(new SimulatedDisk(0), '/honest', whole),
    );
  });

  it('goes on with the log of an older target of the same chain', async () => {
    const newer = modelSource({ seed: 11, heights: 60, opsMax: 60, floorPart: 0 });
    const model = new LogModel(MODEL_CHAIN, 4096, 32);
    model.batches.push(...newer.model.batches.slice(0, 30));
    const older = new ModelSource(model, 0);
    const disk = new SimulatedDisk(1);
    const first = await StateStage.open(await stageOptions(disk, older));
    await feed(first, 1, older);
    await first.finish();
    const then = await StateStage.open(await stageOptions(disk, newer));
    expect(then.resumedOps).toBe(older.opCount);
    await feed(then, 2, newer);
    await then.finish();
    expect(await segmentFiles(disk, '/data/quarantine/state/log')).toEqual(
      await honestSegments(new SimulatedDisk(0), '/honest', newer),
    );
  });

  it('finds out that no batch begins at a first op that merely looks so', async () => {
    // A bond of which all 64 bytes read as a head that begins a segment, at height 2,626,565.
    const address = new Uint8Array(20);
    const view = new DataView(address.buffer);
    view.setUint32(8, 8_192, true);
    view.setBigUint64(12, 8_192n, true);
    const details = new Uint8Array(24);
    const model = new LogModel(MODEL_CHAIN, 4096, 32);
    const other = Uint8Array.from(address, () => 3);
    model.add(
      [
        { kind: 'putAccount', address: other, balance: 1n },
        { kind: 'putBond', address, bond: 0n, lastVote: 0n, details },
      ],
      0,
    );
    model.add([{ kind: 'putAccount', address: other, balance: 2n }], 0);
    const lying = new ModelSource(model, 2);
    const start = await readPieceFrame(beginningAt(lying, 2), { from: 2, to: 3 }, lying.opCount);
    const check = { kernels, chainId: MODEL_CHAIN, segmentSizeBytes: 4096 };
    const at = (height: number) => () =>
      checkManifest({ ...check, target: { height, root: lying.root } }, { ...lying.tip, firstOp: 2 }, start);
    expect(at(1)).toThrow('wrong-start');
    const stage = await StateStage.open({ ...(await stageOptions(new SimulatedDisk(1))), checked: at(3_000_000)() });
    const span = stage.take()!;
    await expect(keep(stage, span, lying)).rejects.toMatchObject({ code: 'wrong-start' });
    await stage.close();
  });

  it('takes no more bytes than allowed, and does not finish before the end', async () => {
    const disk = new SimulatedDisk(1);
    const stage = await StateStage.open({ ...(await stageOptions(disk)), sizeBytesMax: 100 });
    await expect(stage.finish()).rejects.toMatchObject({ code: 'incomplete' });
    await expect(keep(stage, stage.take()!)).rejects.toMatchObject({ code: 'too-large' });
    await stage.close();
  });
});

/** A source that says that the log begins elsewhere. */
const beginningAt = (of: ModelSource, firstOp: number): StateSource => ({
  firstOp,
  opCount: of.opCount,
  heights: () => of.heights(),
  manifest: (height) => of.manifest(height),
  heightOf: (op) => of.heightOf(op),
  readOps: (from, to) => of.readOps(from, to),
  rangeProof: (from, to, size) => of.rangeProof(from, to, size),
  pin: () => of.pin(),
});

describe('the quarantine', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cairn-sync-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('becomes the live directory only when its state was settled, and leaves nothing else behind', async () => {
    const files = diskFiles();
    const directory = join(folder, 'quarantine');
    const stage = await SyncStage.open({ ...options(files), directory });
    await expect(SyncStage.open({ ...options(files), directory })).rejects.toMatchObject({ code: 'locked' });
    await stage.liars.add('peer-1', 'wrong-proof');
    const state = await stage.openState(await checkedOf(source));
    const target = { height: source.height, root: source.root };
    await expect(stage.settleState(target, settled)).rejects.toMatchObject({ code: 'incomplete' });
    await feed(state, 1);
    await state.finish();
    await expect(stage.adopt(join(folder, 'live'))).rejects.toMatchObject({ code: 'incomplete' });
    await expect(stage.settleState({ ...target, root: MODEL_CHAIN as Hash }, settled)).rejects.toMatchObject({
      code: 'wrong-root',
    });
    await stage.settleState(target, settled);
    const shape = { segmentSizeBytes: 1024, leafSizeBytes: 64 };
    const start = {
      height: 7,
      segmentRoots: kernels.sha256(new Uint8Array(1)),
      unfinished: new Uint8Array(500).fill(3),
    };
    await stage.openHistory(shape, start);
    await stage.adopt(join(folder, 'live'));
    expect(await files.exists(directory)).toBe(false);
    expect(await files.list(join(folder, 'live'))).toEqual(['history', 'state']);
  });
});

describe('the list of liars', () => {
  it('is remembered, bounded, and never in the way', async () => {
    const disk = new SimulatedDisk(1);
    await disk.makeDirectory('/q');
    const list = await LiarList.open(disk, '/q/liars');
    await Promise.all(Array.from({ length: LIARS_MAX + 5 }, (_, n) => list.add(`peer${n}`, 'wrong-proof')));
    await list.add('a name with spaces', 'wrong-proof');
    expect(list.has('a name with spaces')).toBe(true);
    const again = await LiarList.open(disk, '/q/liars');
    expect(again.codes.size).toBe(LIARS_MAX - 1);
    expect([again.has('peer0'), again.has('peer100'), again.codes.get('peer1028')]).toEqual([
      false,
      true,
      'wrong-proof',
    ]);
    const file = await disk.open('/q/liars', 'write');
    await file.write(0, new Uint8Array(400_000).fill(65));
    await file.close();
    expect((await LiarList.open(disk, '/q/liars')).codes.size).toBe(0);
  });
});
