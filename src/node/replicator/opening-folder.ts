/**
 * What a replicator must still hold of proofs it sent: the openings that validators fetch, and the secrets of its fakes until they are revealed.
 *
 * Files: `segment-N.period-P.opening` (the openings), `segment-N.period-P.fake` (secret 32 || SHA-256 of the openings from byte 32 on, or zeros, 32).
 *
 * Invariants
 * - Both are durable before the proof is sent: a kill in between costs a file nobody asks for, never a proof that nobody can check or reveal.
 * - They go once the period is decided.
 */
import { readWhole } from '../../../storage/files/files.ts';
import { type Files, writeWhole } from '../../../storage/index.ts';

const NAME = /^segment-(\d+)\.period-(\d+)\.(opening|fake)$/;
const FAKE_SIZE_BYTES = 64;

/** A fake that stands on the ledger, or may. */
export interface KeptFake {
  readonly segment: number;
  readonly period: number;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** 32 bytes. */
  readonly restHash: Uint8Array;
}

export class OpeningFolder {
  readonly #files: Files;
  readonly #directory: string;
  readonly #sizeBytesMax: number;
  readonly #fakes = new Map<string, KeptFake>();

  private constructor(files: Files, directory: string, sizeBytesMax: number) {
    this.#files = files;
    this.#directory = directory;
    this.#sizeBytesMax = sizeBytesMax;
  }

  /** Opens the folder, made when missing. @param sizeBytesMax of one proof's openings */
  static async open(files: Files, directory: string, sizeBytesMax: number): Promise<OpeningFolder> {
    const folder = new OpeningFolder(files, directory, sizeBytesMax);
    await files.makeDirectory(directory);
    for (const name of await files.list(directory)) {
      const match = NAME.exec(name);
      if (match === null || match[3] !== 'fake') continue;
      const bytes = await readWhole(files, `${directory}/${name}`, FAKE_SIZE_BYTES);
      if (bytes.length !== FAKE_SIZE_BYTES) continue;
      const [segment, period] = [Number(match[1]), Number(match[2])];
      folder.#fakes.set(nameOf(segment, period), {
        ...{ segment, period, secret: bytes.slice(0, 32), restHash: bytes.slice(32) },
      });
    }
    return folder;
  }

  /** Fakes that were not settled yet. */
  get fakes(): readonly KeptFake[] {
    return [...this.#fakes.values()];
  }

  /** Keeps a proof's openings; durable when resolved. */
  saveOpening(segment: number, period: number, body: Uint8Array): Promise<void> {
    return writeWhole(this.#files, `${this.#directory}/${nameOf(segment, period)}.opening`, body);
  }

  /** Keeps a fake's secret; durable when resolved. */
  async saveFake(fake: KeptFake): Promise<void> {
    const name = nameOf(fake.segment, fake.period);
    const bytes = Uint8Array.from([...fake.secret, ...fake.restHash]);
    await writeWhole(this.#files, `${this.#directory}/${name}.fake`, bytes);
    this.#fakes.set(name, fake);
  }

  /** Forgets a fake that was revealed, or can no longer be. */
  async dropFake({ segment, period }: KeptFake): Promise<void> {
    const name = nameOf(segment, period);
    this.#fakes.delete(name);
    await this.#files.remove(`${this.#directory}/${name}.fake`);
  }

  /** A proof's openings; undefined when they are not held. */
  async opening(segment: number, period: number): Promise<Uint8Array | undefined> {
    const path = `${this.#directory}/${nameOf(segment, period)}.opening`;
    if (!(await this.#files.exists(path))) return undefined;
    return readWhole(this.#files, path, this.#sizeBytesMax);
  }

  /** Removes openings of periods before `period`. */
  async forgetBelow(period: number): Promise<void> {
    for (const name of await this.#files.list(this.#directory)) {
      const match = NAME.exec(name);
      if (match !== null && match[3] === 'opening' && Number(match[2]) < period)
        await this.#files.remove(`${this.#directory}/${name}`);
    }
  }
}

function nameOf(segment: number, period: number): string {
  return `segment-${segment}.period-${period}`;
}
