/** What one would keep accounts in instead: a Map, and lmdb without syncing. */
import { join } from 'node:path';
import { open as openLmdb } from 'lmdb';
import { byteKey } from '../../../native/index.ts';
import type { Work } from '../model.ts';
import { addressesOf, BATCHES, byAddress, opsOf, pieces } from './account-ops.ts';

export interface Peer {
  readonly lookup: Work;
  readonly update: Work;
  readonly close: () => Promise<void>;
}

/** A Map from the address as a string: what one would write first. */
export function mapPeer(total: number, batches: readonly Uint8Array[]): Peer {
  const map = new Map<string, bigint>();
  for (const numbers of pieces(total)) {
    const addresses = addressesOf(opsOf(numbers));
    for (const [index, number] of numbers.entries())
      map.set(byteKey(addresses.subarray(index * 20, index * 20 + 20)), BigInt(number));
  }
  const asked = batches.map(addressesOf);
  const units = asked[0]!.length / 20;
  let batch = 0;
  const each = (act: (key: string) => unknown): void => {
    const addresses = asked[batch++ % BATCHES]!;
    for (let at = 0; at < addresses.length; at += 20) act(byteKey(addresses.subarray(at, at + 20)));
  };
  const read = (key: string): bigint => map.get(key) ?? 0n;
  return {
    lookup: { units, call: () => each(read) },
    update: { units, call: () => each((key) => void map.set(key, read(key) + 1n)) },
    close: async () => map.clear(),
  };
}

/** lmdb without syncing: its memory map against ours. Filled in the order of keys, which takes a third of the time. */
export function lmdbPeer(directory: string, total: number, batches: readonly Uint8Array[]): Peer {
  const database = openLmdb({ path: join(directory, 'lmdb'), keyEncoding: 'binary', encoding: 'binary', noSync: true });
  const value = Buffer.alloc(8, 1);
  for (const numbers of pieces(total, byAddress(total))) {
    const addresses = Buffer.from(addressesOf(opsOf(numbers)).buffer);
    database.transactionSync(() => {
      for (let at = 0; at < addresses.length; at += 20) database.putSync(addresses.subarray(at, at + 20), value);
    });
  }
  const asked = batches.map((ops) => Buffer.from(addressesOf(ops).buffer));
  const units = asked[0]!.length / 20;
  let batch = 0;
  const each = (act: (key: Buffer) => void): void => {
    const addresses = asked[batch++ % BATCHES]!;
    for (let at = 0; at < addresses.length; at += 20) act(addresses.subarray(at, at + 20));
  };
  return {
    lookup: { units, call: () => each((key) => void database.getBinaryFast(key)) },
    update: {
      units,
      call: () =>
        database.transactionSync(() =>
          each((key) => {
            database.getBinaryFast(key);
            database.putSync(key, value);
          }),
        ),
    },
    close: () => database.close(),
  };
}
