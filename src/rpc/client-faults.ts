/** Client of the methods that damage a node on purpose (methods/faults.ts). */
import { type ConnectionOptions, RpcConnection } from './client-connection.ts';

export class FaultsClient {
  readonly #connection: RpcConnection;

  constructor(options: ConnectionOptions | string) {
    this.#connection = new RpcConnection(typeof options === 'string' ? { url: options } : options);
  }

  /** Cuts the wires to these peers (their network names) and mends those to all others. */
  async cutPeers(peers: readonly string[]): Promise<void> {
    await this.#connection.call('cairn_cutPeers', [peers], { isRead: false });
  }
}
