import { describe, expect, it } from 'vitest';
import { StorageError } from '../../storage/errors.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { opOffsets } from '../../storage/oplog/batch.ts';
import { BatchAssembler } from '../../storage/sync/batch-assembler.ts';
import { checkManifest } from '../../storage/sync/manifest.ts';
import {
  encodePiece,
  fittingOps,
  PIECE_OPS,
  PIECE_SIZE_BYTES_MAX,
  type Piece,
  readPiece,
  requireWhole,
} from '../../storage/sync/piece.ts';
import { PiecePlan, WINDOW_PIECES_MAX } from '../../storage/sync/piece-plan.ts';
import { readPieceFrame } from '../../storage/sync/state-source.ts';
import { SyncFault } from '../../storage/sync/sync-fault.ts';
import { mutatorOf } from '../codec/mutator.ts';
import { kernels } from './kernels-fixture.ts';
import { LogModel } from './log-model.ts';
import { MODEL_CHAIN, ModelSource, modelSource } from './sync-source.ts';

const source = modelSource({ seed: 1, heights: 30, opsMax: 40 });
const other = modelSource({ seed: 2, heights: 30, opsMax: 40 });
const read = (frame: Uint8Array, from: number, tree = source.tip): Piece => readPiece(kernels, frame, from, tree);
const frameOf = (from: number, to: number, of = source): Promise<Uint8Array> =>
  readPieceFrame(of, { from, to }, of.opCount);

describe('pieces', () => {
  it('prove their ops, heads and frontier, for every kind of range', async () => {
    const random = seededRandom(3);
    const { firstOp, opCount, model } = source;
    for (let round = 0; round < 200; round++) {
      const from = firstOp + Math.floor(random() * (opCount - firstOp));
      const to = from + 1 + Math.floor(random() * (opCount - from));
      const piece = read(await frameOf(from, to), from);
      expect([piece.from, piece.to]).toEqual([from, to]);
      expect(Buffer.compare(piece.bytes, Buffer.concat(model.leaves(from, to)))).toBe(0);
      const heads = model.batches.map((batch) => batch.firstOp).filter((op) => op >= from && op < to);
      expect(piece.firstHead).toBe(heads[0] ?? to);
      expect(piece.before.size).toBe(from);
      const batch = model.batches.find((one) => one.firstOp === from);
      if (batch !== undefined) expect(piece.before.encode()).toEqual(batch.frontier.encode());
    }
  });

  it('refuse every flipped byte, every cut and every byte more', async () => {
    const { firstOp } = source;
    const frame = await frameOf(firstOp + 3, firstOp + 40);
    for (let at = 0; at < frame.length; at++) {
      const wrong = frame.slice();
      wrong[at]! ^= 1 << (at % 8);
      // Which ops are heads is told besides, for the split alone: where another number splits alike, nothing false was said.
      if (at >= 4 && at < 8) continue;
      expect(() => read(wrong, firstOp + 3), `byte ${at}`).toThrow(SyncFault);
      if (at % 7 === 0) expect(() => read(frame.subarray(0, at), firstOp + 3)).toThrow(SyncFault);
    }
    for (const more of [1, 4, 32, 64])
      expect(() => read(Uint8Array.from([...frame, ...new Uint8Array(more)]), firstOp + 3)).toThrow(SyncFault);
  });

  it('of another place, tree or chain are refused', async () => {
    const { firstOp, opCount } = source;
    const frame = await frameOf(firstOp, firstOp + 20);
    expect(() => read(frame, firstOp + 1)).toThrow(SyncFault);
    expect(() => read(frame, firstOp, { ...source.tip, opCount: 2 * opCount })).toThrow(SyncFault);
    const foreign = await frameOf(other.firstOp, other.firstOp + 20, other);
    expect(() => read(foreign, other.firstOp)).toThrow(SyncFault);
  });

  it('survive 5,000 mutations without a crash, and never prove what is not so', async () => {
    const { firstOp, model } = source;
    const frame = await frameOf(firstOp, firstOp + 30);
    const truth = Buffer.concat(model.leaves(firstOp, firstOp + 30));
    for (let seed = 0; seed < 5_000; seed++) {
      try {
        const piece = read(mutatorOf(seed).mutate(frame), firstOp);
        expect(Buffer.compare(piece.bytes, truth.subarray(0, piece.bytes.length))).toBe(0);
      } catch (error) {
        if (!(error instanceof SyncFault)) throw error;
      }
    }
  });

  it('are cut only where the next op does not fit', async () => {
    const model = new LogModel(MODEL_CHAIN, 4096, 32);
    const value = new Uint8Array(4096);
    model.add(
      Array.from({ length: 1_200 }, (_, n) => ({ kind: 'putRecord', key: Uint8Array.of(n, n >> 8), value }) as const),
      0,
    );
    const large = new ModelSource(model, 0);
    const whole = await frameOf(0, large.opCount, large);
    const piece = read(whole, 0, large.tip);
    expect(piece.to).toBeLessThan(large.opCount);
    expect(piece.bytes.length).toBeLessThanOrEqual(PIECE_SIZE_BYTES_MAX);
    requireWhole(piece, large.opCount);
    const shorter = read(await frameOf(0, 10, large), 0, large.tip);
    expect(() => requireWhole(shorter, 11)).toThrow(SyncFault);
    expect(() => requireWhole(shorter, 9)).toThrow(SyncFault);
    expect(fittingOps(Uint32Array.of(0, 2 ** 31, 2 ** 31 + 8))).toBe(1);
  });
});

describe('manifests', () => {
  const check = {
    kernels,
    chainId: MODEL_CHAIN,
    target: { height: source.height, root: source.root },
    segmentSizeBytes: 4096,
  };
  const start = (op: number, of = source): Promise<Uint8Array> => frameOf(op, op + 1, of);

  it('are taken when they hash to the target and begin with a segment', async () => {
    const checked = checkManifest(check, source.tip, await start(source.firstOp));
    const batch = source.model.batches.find(({ firstOp }) => firstOp === source.firstOp)!;
    expect(checked.head.frameOffset).toBe(batch.frameOffset);
    expect(checked.frontier.encode()).toEqual(batch.frontier.encode());
    const whole = modelSource({ seed: 1, heights: 3, opsMax: 10, floorPart: 0 });
    const target = { height: 2, root: whole.root };
    expect(checkManifest({ ...check, target }, whole.tip, await start(0, whole)).manifest.firstOp).toBe(0);
    const foreign = { ...check, target, chainId: new Uint8Array(32) };
    const frame = await start(0, whole);
    expect(() => checkManifest(foreign, whole.tip, frame)).toThrow('wrong-start');
  });

  it('are refused with any field changed', async () => {
    const frame = await start(source.firstOp);
    const { tip } = source;
    const lies = [
      { ...tip, opsRoot: other.tip.opsRoot },
      { ...tip, activityRoot: new Uint8Array(32) },
      { ...tip, opCount: tip.opCount + 1 },
      { ...tip, floor: tip.floor - 1 },
      other.tip,
    ];
    for (const lie of lies) expect(() => checkManifest(check, lie, frame)).toThrow('wrong-manifest');
  });

  it('are refused with a first op at which no segment begins, or above the floor', async () => {
    const { tip, model } = source;
    const starts = new Set(model.segments().map((segment) => model.batches[model.firstHeight(segment)]!.firstOp));
    for (let op = source.firstOp; op < tip.opCount; op++) {
      const frame = await start(op);
      const attempt = () => checkManifest(check, { ...tip, firstOp: op }, frame);
      if (op <= tip.floor && starts.has(op)) attempt();
      else expect(attempt).toThrow('wrong-start');
    }
  });
});

describe('the batch assembler', () => {
  it('gives back every batch, however pieces are cut', async () => {
    const random = seededRandom(5);
    const { model, firstOp, opCount } = source;
    const first = model.heightOf(firstOp);
    const { frameOffset, floor } = model.batches[first]!;
    const before = model.batches[first - 1]!;
    const position = {
      height: first,
      opCount: firstOp,
      frameOffset,
      previousFrameSizeBytes: before.frameSizeBytes,
      digest: before.digest,
    };
    for (let round = 0; round < 20; round++) {
      const assembler = new BatchAssembler(kernels, position, floor, opCount);
      let height = first;
      while (assembler.nextOp < opCount) {
        const to = Math.min(opCount, assembler.nextOp + 1 + Math.floor(random() * 60));
        for (const { batch, digest, offsets } of assembler.take(
          read(await frameOf(assembler.nextOp, to), assembler.nextOp),
        )) {
          const wanted = model.batches[height++]!;
          expect(Buffer.compare(batch, wanted.bytes)).toBe(0);
          expect(digest).toEqual(wanted.digest);
          expect(offsets).toEqual(opOffsets(wanted.bytes));
        }
      }
      expect(height).toBe(model.batches.length);
      expect([assembler.pendingBytes, assembler.pendingPieces.length]).toEqual([0, 0]);
    }
  });

  it('finds heads by itself: an op that looks like a head is none, and a head told to be an op is one', async () => {
    // A bond whose 64 bytes read as the head of a batch, one op long.
    const model = new LogModel(MODEL_CHAIN, 4096, 32);
    const address = Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0);
    model.add([{ kind: 'putBond', address, bond: 1n, lastVote: 0n, details: new Uint8Array(24) }], 0);
    model.add([{ kind: 'putAccount', address, balance: 3n }], 0);
    const truth = new ModelSource(model, 0);
    const { bytes } = await truth.readOps(0, 4);
    const proof = truth.rangeProof(0, 4, 4);
    const start = { height: 0, opCount: 0, frameOffset: 0, previousFrameSizeBytes: 0, digest: MODEL_CHAIN };
    for (const headsAfter of [0, 1]) {
      const frame = encodePiece({ headsAfter, proof, bytes, count: 4 });
      let piece: Piece;
      try {
        piece = readPiece(kernels, frame, 0, truth.tip);
      } catch (error) {
        expect(error).toBeInstanceOf(SyncFault);
        continue;
      }
      const batches = [...new BatchAssembler(kernels, start, 0, 4).take(piece)];
      expect(batches.map(({ batch }) => batch)).toEqual(model.batches.map((batch) => batch.bytes));
    }
  });

  it('refuses ops that are no log', () => {
    const { model } = source;
    const start = { height: 0, opCount: 0, frameOffset: 0, previousFrameSizeBytes: 0, digest: MODEL_CHAIN };
    const broken = (change: (head: DataView) => void): void => {
      const twin = new LogModel(MODEL_CHAIN, 4096, 32);
      for (const { bytes } of model.batches.slice(0, 2)) {
        const copy = bytes.slice();
        if (twin.batches.length === 1) change(new DataView(copy.buffer));
        const offsets = opOffsets(copy);
        const leaves = Array.from({ length: offsets.length - 1 }, (_, i) => copy.slice(offsets[i], offsets[i + 1]));
        twin.batches.push({ ...model.batches[twin.batches.length]!, bytes: copy, leaves });
      }
      const lying = new ModelSource(twin, 0);
      const assembler = new BatchAssembler(kernels, start, 0, lying.opCount);
      const offsets = new Uint32Array(lying.opCount + 1);
      const all = twin.leaves(0, lying.opCount);
      all.forEach((leaf, index) => {
        offsets[index + 1] = offsets[index]! + leaf.length;
      });
      const bytes = new Uint8Array(Buffer.concat(all));
      const before = model.batches[0]!.frontier;
      const piece = { from: 0, to: lying.opCount, firstHead: 0, bytes, offsets, frame: bytes, before };
      expect(() => [...assembler.take(piece)]).toThrow(StorageError);
    };
    broken((head) => head.setBigUint64(0, 2n, true));
    broken((head) => head.setUint32(12, 8, true));
    broken((head) => head.setBigUint64(16, 8n, true));
    broken((head) => head.setUint8(40, head.getUint8(40) ^ 1));
  });
});

describe('the piece plan', () => {
  it('takes every op once, whatever comes back, and never runs far ahead', () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = seededRandom(seed);
      const [from, end] = [Math.floor(random() * 100_000), 10_000_000];
      const had = seed % 2 === 0 ? [] : [{ from: from + 40_000, to: from + 90_000 }];
      const plan = new PiecePlan(from, end, had);
      const kept = new Set<number>();
      const out: { from: number; to: number }[] = [];
      while (!plan.isDone) {
        const span = random() < 0.6 ? plan.take() : undefined;
        if (span !== undefined) {
          expect(span.to - span.from).toBeLessThanOrEqual(PIECE_OPS);
          expect(span.from).toBeLessThan(plan.lowest + (WINDOW_PIECES_MAX + 1) * PIECE_OPS);
          out.push(span);
        } else if (out.length > 0) {
          const [answered] = out.splice(Math.floor(random() * out.length), 1);
          const to =
            random() < 0.9 ? answered!.to : answered!.from + 1 + Math.floor((answered!.to - answered!.from) / 2);
          if (random() < 0.2) plan.giveBack(answered!);
          else {
            expect(kept.has(answered!.from)).toBe(false);
            kept.add(answered!.from);
            plan.kept(answered!, Math.min(to, answered!.to));
          }
        }
      }
      expect(plan.lowest).toBe(end);
    }
  });
});
