/**
 * The driver's port over several validators' RPC: one at a time, the next one when it does not answer.
 * Calls are not repeated here: the driver counts a failure and tries again, by then elsewhere.
 */
import type { CairnClient } from '../../src/rpc/client.ts';
import { SUBMIT_ITEMS_MAX } from '../../src/rpc/client.ts';
import type { FinalBlock, SubmitPort } from '../workload/driver.ts';
import type { Answer, Reference } from '../workload/submissions.ts';

const LAST_VALID_HASH_SIZE_BYTES = 20;

export class ClusterPort implements SubmitPort {
  readonly #clients: readonly CairnClient[];
  /** Sending and following change over independently: a node may serve one and fail the other. */
  #sender = 0;
  #follower = 0;

  constructor(clients: readonly CairnClient[]) {
    if (clients.length === 0) throw new RangeError('a cluster needs at least one client');
    this.#clients = clients;
  }

  async latestReference(): Promise<Reference> {
    const { pohHash, pohCount, lastValidSlot } = await this.#send((client) => client.latestBlockhash());
    return { lastValidHash: pohHash.slice(0, LAST_VALID_HASH_SIZE_BYTES), lastValidCount: pohCount, lastValidSlot };
  }

  async submit(packets: readonly Uint8Array[]): Promise<readonly (Answer | null)[]> {
    const results = await this.#send((client) => client.submitMany(packets.slice(0, SUBMIT_ITEMS_MAX)));
    return results.map((result) => (result.ok ? null : { code: result.code, message: result.message }));
  }

  async waitFinalized(afterHeight: number, timeoutMs: number): Promise<readonly FinalBlock[]> {
    try {
      return await this.#at(this.#follower).waitFinalized(afterHeight, { timeoutMs });
    } catch (error) {
      this.#follower += 1;
      throw error;
    }
  }

  async #send<T>(call: (client: CairnClient) => Promise<T>): Promise<T> {
    try {
      return await call(this.#at(this.#sender));
    } catch (error) {
      this.#sender += 1;
      throw error;
    }
  }

  #at(index: number): CairnClient {
    return this.#clients[index % this.#clients.length] as CairnClient;
  }
}
