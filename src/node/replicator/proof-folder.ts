/**
 * The newest proof of each segment as a file, for anybody to check with `cairn verify proof` (docs/format/proofs.md).
 *
 * Invariant: a file under a proof's name is whole: it is written under another name, synced and renamed.
 */
import type { Kernels } from '../../../native/index.ts';
import { encodeProofFile, type StorageProof } from '../../../replicator/index.ts';
import { diskFiles, type Files, writeWhole } from '../../../storage/index.ts';

export class ProofFolder {
  readonly #kernels: Kernels;
  readonly #files: Files;
  readonly #directory: string;

  private constructor(kernels: Kernels, directory: string) {
    this.#kernels = kernels;
    this.#files = diskFiles();
    this.#directory = directory;
  }

  /** Opens the folder, made when missing. */
  static async open(kernels: Kernels, directory: string): Promise<ProofFolder> {
    const folder = new ProofFolder(kernels, directory);
    await folder.#files.makeDirectory(directory);
    return folder;
  }

  /** Replaces the proof of its segment. */
  async save(proof: StorageProof): Promise<void> {
    const path = `${this.#directory}/segment-${proof.segment}.proof`;
    await writeWhole(this.#files, path, encodeProofFile(this.#kernels, proof));
  }
}
