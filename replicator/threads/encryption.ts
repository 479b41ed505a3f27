/**
 * Encryptions that run at the same time, brought together: two chains cost one core little more than one does, because the second hides behind the first
 * one's latency.
 *
 * Invariants
 * - A chunk waits for another chain's only while no thread is free, or while that chain is between two chunks, its source not to blame: it is writing the one before.
 *   So a chain alone never waits, and none waits for another's network.
 * - No more jobs are on their way than there are threads; two chunks go together only when there are more of them than free threads.
 */
import type { EncryptChunk, Encrypted } from './jobs.ts';

/** One chain that is being encrypted, a chunk at a time. */
export interface EncryptionChain {
  /** Waits for the chain's source. Others do not wait for this chain meanwhile, save for the turn in which the source may answer at once. */
  reading<T>(read: Promise<T>): Promise<T>;
  /** Encrypts the next chunk. Its memory is not to be touched until it is done. Throws `ReplicatorError` 'thread'. */
  encrypt(chunk: EncryptChunk): Promise<Encrypted>;
  /** Says that no chunk will come any more. */
  end(): void;
}

interface Chain {
  isReading: boolean;
  /** Whether a chunk of it waits or is on its way. */
  isQueued: boolean;
}

interface Waiting {
  readonly chain: Chain;
  readonly chunk: EncryptChunk;
  readonly resolve: (encrypted: Encrypted) => void;
  readonly reject: (error: unknown) => void;
}

/** Whether two chunks can go through the cipher side by side. */
function areAlike(a: EncryptChunk, b: EncryptChunk): boolean {
  const hashesBoth = (one: EncryptChunk): boolean => one.wantInputHashes && one.wantOutputHashes;
  return hashesBoth(a) && hashesBoth(b) && a.leafSizeBytes === b.leafSizeBytes && a.input.length === b.input.length;
}

export class Encryptions {
  readonly #threadCount: number;
  readonly #run: (chunks: readonly EncryptChunk[]) => Promise<readonly Encrypted[]>;
  readonly #waiting: Waiting[] = [];
  readonly #chains = new Set<Chain>();
  #running = 0;

  /** @param run does one or two chunks on one of so many threads, or inline */
  constructor(threadCount: number, run: (chunks: readonly EncryptChunk[]) => Promise<readonly Encrypted[]>) {
    this.#threadCount = threadCount;
    this.#run = run;
  }

  /** Begins a chain. */
  begin(): EncryptionChain {
    const chain: Chain = { isReading: false, isQueued: false };
    this.#chains.add(chain);
    return {
      reading: (read) => this.#reading(chain, read),
      encrypt: (chunk) => this.#enqueue(chain, chunk),
      end: () => {
        this.#chains.delete(chain);
        this.#look();
      },
    };
  }

  async #reading<T>(chain: Chain, read: Promise<T>): Promise<T> {
    const isLate = setImmediate(() => {
      chain.isReading = true;
      this.#look();
    });
    try {
      return await read;
    } finally {
      clearImmediate(isLate);
      chain.isReading = false;
    }
  }

  #enqueue(chain: Chain, chunk: EncryptChunk): Promise<Encrypted> {
    chain.isQueued = true;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ chain, chunk, resolve, reject });
      this.#look();
    });
  }

  /** Starts what waits, when nobody else is about to come. */
  #look(): void {
    for (const { isReading, isQueued } of this.#chains) if (!isReading && !isQueued) return;
    while (this.#waiting.length > 0 && this.#running < this.#threadCount) {
      const first = this.#waiting.shift()!;
      const free = this.#threadCount - this.#running;
      const second =
        this.#waiting.length < free ? -1 : this.#waiting.findIndex(({ chunk }) => areAlike(first.chunk, chunk));
      void this.#encrypt(second < 0 ? [first] : [first, ...this.#waiting.splice(second, 1)]);
    }
  }

  async #encrypt(together: readonly Waiting[]): Promise<void> {
    this.#running += 1;
    try {
      const encrypted = await this.#run(together.map(({ chunk }) => chunk));
      together.forEach(({ resolve }, i) => {
        resolve(encrypted[i]!);
      });
    } catch (error) {
      for (const { reject } of together) reject(error);
    } finally {
      this.#running -= 1;
      for (const { chain } of together) chain.isQueued = false;
      this.#look();
    }
  }
}
