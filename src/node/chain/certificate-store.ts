/**
 * The votes behind blocks: by block hash, and the newest proof of finality. In lmdb, each write on disk when it resolves.
 *
 * Votes of lost branches are forgotten with their blocks; those of final blocks stay, so that peers far behind can be served.
 */
import { type Database, open, type RootDatabase } from 'lmdb';

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

const asKey = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

export class CertificateStore {
  readonly #root: RootDatabase<unknown, string>;
  readonly #votes: Database<Uint8Array, Buffer>;
  readonly #totals: Database<number, number>;
  #latest: Latest | undefined;

  /** @param directory created when missing */
  constructor(directory: string) {
    this.#root = open<unknown, string>({ path: directory, overlappingSync: false, maxDbs: 4 });
    this.#votes = this.#root.openDB<Uint8Array, Buffer>({ name: 'votes', keyEncoding: 'binary' });
    this.#totals = this.#root.openDB<number, number>({ name: 'totals' });
    this.#latest = this.#root.get('latest') as Latest | undefined;
  }

  get finality(): FinalityProof | undefined {
    return this.#latest;
  }

  /** Votes of a block, one after the other; empty when none are kept. */
  votes(hash: Uint8Array): Uint8Array {
    const kept = this.#votes.get(asKey(hash));
    return kept === undefined ? new Uint8Array(0) : new Uint8Array(kept);
  }

  async putVotes(hash: Uint8Array, votes: Uint8Array): Promise<void> {
    await this.#votes.put(asKey(hash), votes);
  }

  async putFinality(height: number, proof: FinalityProof): Promise<void> {
    const latest: Latest = { height, header: proof.header, certificate: proof.certificate };
    await this.#root.put('latest', latest);
    this.#latest = latest;
  }

  /** Transactions in all blocks up to a final height; undefined when that was not counted here. */
  transactionsUpTo(height: number): number | undefined {
    return this.#totals.get(height);
  }

  async putTotal(height: number, transactions: number): Promise<void> {
    await this.#root.batch(() => {
      this.#totals.put(height, transactions);
      this.#totals.remove(height - 2);
    });
  }

  async forget(hashes: readonly Uint8Array[]): Promise<void> {
    await this.#root.batch(() => {
      for (const hash of hashes) this.#votes.remove(asKey(hash));
    });
  }

  async close(): Promise<void> {
    await this.#root.close();
  }
}
