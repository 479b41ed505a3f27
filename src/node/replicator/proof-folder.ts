/**
 * The newest proof of each segment as a file, for anybody to check with `cairn verify proof` (docs/format/proofs.md).
 *
 * Invariant: a file under a proof's name is whole: it is written under another name, synced and renamed.
 */
import { type Files, writeWhole } from '../../../storage/index.ts';

export class ProofFolder {
  readonly #files: Files;
  readonly #directory: string;

  private constructor(files: Files, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /** Opens the folder, made when missing. */
  static async open(files: Files, directory: string): Promise<ProofFolder> {
    const folder = new ProofFolder(files, directory);
    await folder.#files.makeDirectory(directory);
    return folder;
  }

  /** Replaces the segment's proof with that ending. */
  save(segment: number, ending: string, bytes: Uint8Array): Promise<void> {
    return writeWhole(this.#files, `${this.#directory}/segment-${segment}.${ending}`, bytes);
  }
}
