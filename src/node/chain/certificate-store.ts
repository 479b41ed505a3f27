/**
 * The votes behind blocks: by block hash, and the newest proof of finality. Each write is on disk when it resolves.
 *
 * Votes of lost branches are forgotten with their blocks; those of final blocks stay, so that peers far behind can be served.
 */
import { type Disk, type KeyValueStore, openKeyValues, realDisk, type Table } from '../../../storage/index.ts';

/** The newest final block's header, and the certificate (child's header and votes) that shows it final. */
export interface FinalityProof {
  readonly header: Uint8Array;
  readonly certificate: Uint8Array;
}

interface Latest {
  readonly height: number;
  readonly header: Uint8Array;
  readonly certificate: Uint8Array;
}

export class CertificateStore {
  readonly #store: KeyValueStore;
  readonly #about: Table<string, Latest>;
  readonly #votes: Table<Uint8Array, Uint8Array>;
  readonly #totals: Table<number, number>;
  #latest: Latest | undefined;

  private constructor(store: KeyValueStore) {
    this.#store = store;
    this.#about = this.#store.table({ name: null, keys: 'ordered', values: 'packed' });
    this.#votes = this.#store.table({ name: 'votes', keys: 'bytes', values: 'packed' });
    this.#totals = this.#store.table({ name: 'totals', keys: 'ordered', values: 'packed' });
    this.#latest = this.#about.get('latest');
  }

  /** @param directory created when missing @param disk the real one unless given. Throws `FilesError` */
  static async open(
    directory: string,
    disk: Pick<Disk, 'files' | 'keyValues'> = realDisk(),
  ): Promise<CertificateStore> {
    return new CertificateStore(await openKeyValues(disk, directory));
  }

  get finality(): FinalityProof | undefined {
    return this.#latest;
  }

  /** Votes of a block, one after the other; empty when none are kept. */
  votes(hash: Uint8Array): Uint8Array {
    const kept = this.#votes.get(hash);
    return kept === undefined ? new Uint8Array(0) : new Uint8Array(kept);
  }

  async putVotes(hash: Uint8Array, votes: Uint8Array): Promise<void> {
    await this.#store.write(() => this.#votes.put(hash, votes));
  }

  async putFinality(height: number, proof: FinalityProof): Promise<void> {
    const latest: Latest = { height, header: proof.header, certificate: proof.certificate };
    await this.#store.write(() => this.#about.put('latest', latest));
    this.#latest = latest;
  }

  /** Transactions in all blocks up to a final height; undefined when that was not counted here. */
  transactionsUpTo(height: number): number | undefined {
    return this.#totals.get(height);
  }

  async putTotal(height: number, transactions: number): Promise<void> {
    await this.#store.write(() => {
      this.#totals.put(height, transactions);
      this.#totals.remove(height - 2);
    });
  }

  async forget(hashes: readonly Uint8Array[]): Promise<void> {
    await this.#store.write(() => {
      for (const hash of hashes) this.#votes.remove(hash);
    });
  }

  async close(): Promise<void> {
    await this.#store.close();
  }
}
