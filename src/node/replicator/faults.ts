/**
 * Ways for a replicator to cheat, so that the devnet and tests can show that each is found out. None is on unless the configuration's `faults` say so.
 *
 * - `corruptByte`: a control call flips one byte of a replica (replicator-node.ts).
 * - `erasePermille`: so many thousandths of each replica's leaves are overwritten with zeros once it is encoded.
 * - `provesLate`: each proof is held back until its deadline has passed.
 * - `copyFrom`: another replicator's data directory; its replicas are committed and proven as one's own.
 */
import { join } from 'node:path';
import type { Kernels } from '../../../native/index.ts';
import { CorruptReplicaError, Replica, type ReplicaHeader, type ReplicaStore } from '../../../replicator/index.ts';
import { diskFiles } from '../../../storage/index.ts';
import type { FaultsConfig } from '../config.ts';

const PERMILLE = 1000;

export interface FaultsDeps {
  readonly kernels: Kernels;
  readonly config: FaultsConfig | undefined;
}

export class ReplicatorFaults {
  readonly #kernels: Kernels;
  readonly #config: FaultsConfig;

  constructor({ kernels, config }: FaultsDeps) {
    this.#kernels = kernels;
    this.#config = config ?? {};
  }

  get provesLate(): boolean {
    return this.#config.provesLate === true;
  }

  get erases(): boolean {
    return this.#config.erasePermille !== undefined;
  }

  /** Whether replicas that are known to be wrong are kept. */
  get keepsDamaged(): boolean {
    return this.erases || this.#config.copyFrom !== undefined;
  }

  /** Whether anything is proven here that an honest process would notice to be wrong. */
  get isBlind(): boolean {
    return this.keepsDamaged || this.#config.corruptByte === true;
  }

  /** Loses a part of a replica that was just encoded: leaves at equal distances. */
  async afterEncode(store: ReplicaStore, { segment, rotation, geometry }: ReplicaHeader): Promise<void> {
    const { erasePermille } = this.#config;
    if (erasePermille === undefined) return;
    const leafCount = geometry.segmentSizeBytes / geometry.leafSizeBytes;
    const count = Math.max(1, Math.ceil((leafCount * erasePermille) / PERMILLE));
    const leaves = Array.from({ length: count }, (_, index) => Math.floor((index * leafCount) / count));
    await store.eraseLeaves({ segment, rotation }, leaves);
  }

  /** The replica root to commit to: the own one, or that of the replica copied; undefined while that is not there. */
  async committedRoot(header: ReplicaHeader): Promise<Uint8Array | undefined> {
    if (this.#config.copyFrom === undefined) return header.replicaRoot;
    const copied = await this.#copied(header);
    await copied?.close();
    return copied?.header.replicaRoot;
  }

  /** The replica to prove with; undefined when a copied one is not there. The caller closes it. */
  async openForProof(store: ReplicaStore, header: ReplicaHeader): Promise<Replica | undefined> {
    return this.#config.copyFrom === undefined ? store.get(header) : this.#copied(header);
  }

  async #copied({ segment, rotation }: ReplicaHeader): Promise<Replica | undefined> {
    const digits = (value: number): string => String(value).padStart(10, '0');
    const name = `segment-${digits(segment)}.rotation-${digits(rotation)}.replica`;
    const path = join(this.#config.copyFrom!, 'replicas', name);
    const files = diskFiles();
    try {
      if (!(await files.exists(path))) return undefined;
      return await Replica.open(this.#kernels, await files.open(path, 'read'));
    } catch (error) {
      if (error instanceof CorruptReplicaError) return undefined;
      throw error;
    }
  }
}
