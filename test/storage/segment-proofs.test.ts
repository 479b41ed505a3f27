/**
 * Segments checked elsewhere change nothing about what is found: a log read with proofs of its segments gives the very verdict (fault, cut, end,
 * positions, tree) as one read without, however it was damaged; and so does `verifyLog` with threads.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommitmentReplay } from '../../storage/commitment/replay.ts';
import { NO_POSITIONS, NO_TWIGS } from '../../storage/commitment/sources.ts';
import { CorruptionError } from '../../storage/errors.ts';
import { diskFiles } from '../../storage/files/disk-files.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { newestSuperblock, readSuperblocks } from '../../storage/inspect/log-folder.ts';
import { type LogFault, type LogFigures, verifyLog } from '../../storage/inspect/verify-log.ts';
import { closeSegments, scanLog } from '../../storage/oplog/log-scan.ts';
import type { LogVisitor, ProofOrder, SegmentProofs } from '../../storage/oplog/log-visitor.ts';
import { OpLog } from '../../storage/oplog/op-log.ts';
import { proveSegment } from '../../storage/oplog/segment-proof.ts';
import { kernels } from './kernels-fixture.ts';
import {
  chainId,
  diskOf,
  FOLDER,
  type Image,
  makeLog,
  resealHeader,
  segmentPaths,
  segmentSizeBytes,
  withFile,
} from './log-folders.ts';
import { framesOf, headerSizeOf } from './log-frames.ts';
import { LogModel, randomLogOps } from './log-model.ts';

let proven = 0;

/** Proofs made in this thread, when they are asked for. */
function proofsOf(files: SimulatedDisk, order: ProofOrder): SegmentProofs {
  return {
    async next(index) {
      const proof = await proveSegment({ ...order, files, kernels, isStopped: () => false }, index);
      if (proof !== undefined) proven += 1;
      // As it comes from another thread.
      return structuredClone(proof);
    },
    async stop() {},
  };
}

/** All that reading a log tells. @param again whether the batches of proven segments are wanted */
async function read(image: Image, mode: 'plain' | 'proofs' | 'again'): Promise<object> {
  const files = await diskOf(image);
  const folder = { files, kernels, directory: FOLDER };
  const log = newestSuperblock(FOLDER, await readSuperblocks(folder));
  let replay: CommitmentReplay | undefined;
  let batches = '';
  const sources = { kernels, chainId, positions: NO_POSITIONS, twigs: NO_TWIGS };
  const seen = (batch: Uint8Array, firstOp: number): void => {
    batches += `${firstOp}:${kernels.crc32c(batch)} `;
  };
  const visitor: LogVisitor = {
    visitSegment({ frontier }) {
      if (replay !== undefined) return replay.frontier;
      replay = new CommitmentReplay(sources, frontier);
      return undefined;
    },
    visit({ batch, digest, offsets, firstOp }) {
      replay!.appendOps(batch, digest, offsets);
      if (mode !== 'proofs') seen(batch, firstOp);
    },
    ...(mode === 'plain' ? {} : { startProofs: (order) => proofsOf(files, order) }),
    visitProven: (proof) => replay!.adopt(proof),
    ...(mode === 'again' ? { visitAgain: seen } : {}),
  };
  try {
    const { segments, positions, tip, cut } = await scanLog({ ...folder, ...log, ...visitor });
    await closeSegments(segments);
    const ends = segments.map(({ index, first, end, headerSizeBytes }) => ({ index, first, end, headerSizeBytes }));
    return { ends, positions: positions.image(), tip, cut, tree: replay?.frontier.encode(), batches };
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    const { path, offset, expected, found, message } = error;
    return { path, offset, expected, found, message };
  }
}

async function expectSame(image: Image, what: string): Promise<object> {
  const plain = await read(image, 'plain');
  expect(await read(image, 'again'), what).toEqual(plain);
  const { batches: _, ...rest } = (await read(image, 'proofs')) as { batches?: string };
  expect({ batches: (plain as { batches?: string }).batches, ...rest }, what).toEqual({ batches: undefined, ...plain });
  return plain;
}

const rising = (_: number, opCount: number): number => Math.floor(opCount * 0.4);
let image: Image;
let deleted: Image;
beforeAll(async () => {
  image = (await makeLog({ seed: 3, batches: 60, floors: rising })).image;
  deleted = (await makeLog({ seed: 4, batches: 60, retainHeights: 1, floors: rising })).image;
});

/** A log of which one batch opens a segment and says a lower floor than the one before, everything else being right. */
async function fallingFloor(): Promise<Image> {
  const model = new LogModel(chainId, segmentSizeBytes, 1000);
  const random = seededRandom(8);
  const [one, two] = [new SimulatedDisk(1), new SimulatedDisk(2)];
  const options = { directory: FOLDER, kernels, chainId, segmentSizeBytes, retainHeights: 1000 };
  const before = await OpLog.open({ ...options, files: one });
  const opensSegment = ({ frameOffset, previousFrameSizeBytes }: OpLog['tip']): boolean =>
    Math.floor(frameOffset / segmentSizeBytes) > Math.floor((frameOffset - previousFrameSizeBytes) / segmentSizeBytes);
  while (before.height < 20 || !opensSegment(before.tip)) {
    const { bytes, frontier } = model.add(randomLogOps(random, 60), Math.floor(model.opCount / 2));
    await before.append(bytes, frontier).durable;
  }
  const after = await OpLog.open({ ...options, files: two, start: before.tip });
  for (let count = 0; count < 20; count++) {
    const { bytes, frontier } = model.add(randomLogOps(random, 60), count);
    await after.append(bytes, frontier).durable;
  }
  await before.close();
  await after.close();
  return new Map([...one.image(), ...two.image()]);
}

describe('a log read with proofs of its segments', () => {
  it('is read the same, and every segment of a whole log is proven', async () => {
    for (const whole of [image, deleted]) {
      proven = 0;
      expect(await expectSame(whole, 'whole')).toMatchObject({ cut: undefined });
      const segments = segmentPaths(whole).length;
      expect([segments > 5, proven]).toEqual([true, 2 * segments]);
    }
    expect(segmentPaths(deleted)[0]).not.toMatch(/segment-00000000$/);
  });

  it('with any byte flipped, whatever it is', async () => {
    const random = seededRandom(5);
    for (const whole of [image, deleted])
      for (const path of segmentPaths(whole))
        for (let count = 0; count < 12; count++) {
          const bytes = whole.get(path)!.slice();
          const at = Math.floor(random() * (count < 5 ? 300 : bytes.length));
          bytes[at]! ^= 1 << Math.floor(random() * 8);
          expect(await expectSame(withFile(whole, path, bytes), `${path} ${at}`)).toHaveProperty('offset');
        }
  });

  it('cut short anywhere, or longer, with files missing or swapped', async () => {
    const random = seededRandom(6);
    const paths = segmentPaths(image);
    for (const [index, path] of paths.entries()) {
      const bytes = image.get(path)!;
      const ends = framesOf(bytes).map(({ end }) => end);
      for (const size of [0, 50, headerSizeOf(bytes), ends[0]!, ends.at(-2) ?? 0, Math.floor(random() * bytes.length)])
        await expectSame(withFile(image, path, bytes.subarray(0, size)), `${path} cut to ${size}`);
      await expectSame(withFile(image, path, Buffer.concat([bytes, new Uint8Array(48)])), `${path} longer`);
      await expectSame(withFile(image, path, undefined), `without ${path}`);
      const other = paths[(index + 1) % paths.length]!;
      const swapped = withFile(withFile(image, path, image.get(other)), other, bytes);
      expect(await expectSame(swapped, `${path} and ${other} swapped`)).toHaveProperty('offset');
    }
  });

  it('with headers forged under the right checksum, where only the segments before tell', async () => {
    for (const path of segmentPaths(image)) {
      const bytes = image.get(path)!;
      const size = headerSizeOf(bytes);
      const fields = [16, 48, 56, 64, 96, ...Array.from({ length: (size - 112) / 32 }, (_, peak) => 112 + 32 * peak)];
      for (const at of fields) {
        const forged = bytes.slice();
        forged[at]! ^= 1;
        resealHeader(forged.subarray(0, size));
        expect(await expectSame(withFile(image, path, forged), `${path} ${at}`)).toHaveProperty('offset');
      }
    }
  });

  it('with a floor that falls where a segment begins', async () => {
    const falling = await fallingFloor();
    expect(await expectSame(falling, 'falling')).toHaveProperty('expected', expect.stringMatching(/^floor within/));
  });

  it('with segments of another log that is right in itself, put behind these', async () => {
    const { image: other } = await makeLog({ seed: 9, batches: 60, floors: rising });
    for (const path of segmentPaths(image))
      if (other.has(path))
        expect(await expectSame(withFile(image, path, other.get(path)), path)).toHaveProperty('offset');
  });
});

describe('verifyLog with threads', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cairn-proofs-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Verifies a copy on the real disk. */
  async function verified(name: string, of: Image, threads: number): Promise<object> {
    const directory = await mkdtemp(join(folder, `${name}-`));
    for (const [path, bytes] of of) await writeFile(join(directory, basename(path)), bytes);
    const found: LogFigures | { readonly fault: LogFault } = await verifyLog({
      files: diskFiles(),
      kernels,
      directory,
      threads,
    });
    if (!('fault' in found)) return found;
    return { ...found.fault, path: basename(found.fault.path) };
  }

  it('gives the verdict of one thread, whatever the number', async () => {
    const [path, bytes] = [...image].filter(([name]) => name.includes('/segment-')).at(4)!;
    const flipped = bytes.slice();
    flipped[2000]! ^= 4;
    const forged = bytes.slice();
    forged[112]! ^= 1;
    resealHeader(forged.subarray(0, headerSizeOf(forged)));
    const last = segmentPaths(image).at(-1)!;
    const images: [string, Image][] = [
      ['whole', image],
      ['deleted', deleted],
      ['flipped', withFile(image, path, flipped)],
      ['forged', withFile(image, path, forged)],
      ['torn', withFile(image, last, image.get(last)!.subarray(0, -8))],
      ['missing', withFile(image, path, undefined)],
      ['falling', await fallingFloor()],
    ];
    for (const [name, of] of images) {
      const alone = await verified(name, of, 0);
      for (const threads of [1, 2, 3]) expect(await verified(name, of, threads), `${name} ${threads}`).toEqual(alone);
      expect('offset' in alone, name).toBe(name !== 'whole' && name !== 'deleted');
    }
  });

  it('checks the log by itself when its threads fail', async () => {
    const alone = await verified('alone', image, 0);
    // The threads read their settings anew; this one has its kernels.
    process.env.CAIRN_ED25519 = 'nonsense';
    try {
      expect(await verified('failing', image, 2)).toEqual(alone);
    } finally {
      delete process.env.CAIRN_ED25519;
    }
  });
});
