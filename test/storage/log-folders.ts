/** Logs of several segments on a simulated disk, made by the op log itself, and folders of them put together by hand. */
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { OpLog } from '../../storage/oplog/op-log.ts';
import { kernels } from './kernels-fixture.ts';
import { LogModel, randomLogOps } from './log-model.ts';

export const FOLDER = '/data/log';
export const chainId: Uint8Array = new Uint8Array(32).fill(5);
export const segmentSizeBytes = 4096;

export type Image = ReadonlyMap<string, Uint8Array>;

interface LogShape {
  readonly seed: number;
  readonly batches: number;
  readonly retainHeights?: number;
  /** The floor in the head of each batch, by its height. */
  readonly floors?: (height: number, opCount: number) => number;
}

/** A log closed cleanly, file by file. */
export async function makeLog({ seed, batches, retainHeights = 1000, floors = () => 0 }: LogShape): Promise<{
  readonly model: LogModel;
  readonly image: Image;
}> {
  const disk = new SimulatedDisk(seed);
  const model = new LogModel(chainId, segmentSizeBytes, retainHeights);
  const random = seededRandom(seed);
  const log = await OpLog.open({ directory: FOLDER, files: disk, kernels, chainId, segmentSizeBytes, retainHeights });
  for (let height = 0; height < batches; height++) {
    const { bytes, frontier } = model.add(randomLogOps(random, 60), floors(height, model.opCount));
    await log.append(bytes, frontier).durable;
  }
  await log.close();
  return { model, image: disk.image() };
}

/** A disk that holds just these files. */
export async function diskOf(image: Image): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk(1);
  await disk.makeDirectory(FOLDER);
  for (const [path, bytes] of image) await (await disk.open(path, 'create')).write(0, bytes);
  return disk;
}

/** The segment files of an image, ascending. */
export const segmentPaths = (image: Image): string[] =>
  [...image.keys()].filter((path) => path.includes('/segment-')).sort();

/** The image with one file changed; without it when undefined. */
export function withFile(image: Image, path: string, bytes: Uint8Array | undefined): Image {
  const changed = new Map(image);
  if (bytes === undefined) changed.delete(path);
  else changed.set(path, bytes);
  return changed;
}

/** Puts the right checksum into a header that was changed. */
export function resealHeader(header: Uint8Array): void {
  const crc = kernels.crc32c(header.subarray(104), kernels.crc32c(header.subarray(0, 100)));
  new DataView(header.buffer, header.byteOffset).setUint32(100, crc, true);
}
