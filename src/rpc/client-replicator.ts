/**
 * Client of a replicator process's own RPC.
 */
import { asObject, base64Of } from './check.ts';
import { type ConnectionOptions, RpcConnection } from './client-connection.ts';
import type { CorruptionView, ReplicatorStatusView } from './client-types.ts';

export class ReplicatorClient {
  readonly #connection: RpcConnection;

  constructor(options: ConnectionOptions | string) {
    this.#connection = new RpcConnection(typeof options === 'string' ? { url: options } : options);
  }

  get url(): string {
    return this.#connection.url;
  }

  async status(): Promise<ReplicatorStatusView> {
    const answer = await this.#connection.call('cairn_getStatus', [], { isRead: true });
    return asObject(answer, 'cairn_getStatus') as unknown as ReplicatorStatusView;
  }

  /** History bytes decoded from a replica; at most 1 MiB a call. */
  async readHistory(segment: number, offset: number, sizeBytes: number): Promise<Uint8Array> {
    const result = await this.#connection.call('cairn_readHistory', [segment, offset, sizeBytes], { isRead: true });
    return base64Of({ result }, 'result');
  }

  /** Flips one byte of a stored replica, if the replicator's configuration allows faults. */
  async injectCorruption(segment?: number): Promise<CorruptionView> {
    const params = segment === undefined ? [] : [segment];
    const answer = await this.#connection.call('cairn_injectCorruption', params, { isRead: false });
    return asObject(answer, 'cairn_injectCorruption') as unknown as CorruptionView;
  }
}
