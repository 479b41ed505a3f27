/** A replicator's transactions to whoever takes them, and its own records read back. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import { PeerFault } from '../../src/net/transport.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { LedgerLink } from '../../src/node/replicator/ledger-link.ts';
import type { FakeArchive } from './fake-archive.ts';
import { chain, key, ReplicatorRig, root, world } from './replicator-rig.ts';
import type { VirtualNet } from './virtual-net.ts';
import { kernels } from './world.ts';

let rig: ReplicatorRig;
let net: VirtualNet;
let archive: FakeArchive;
let self: MemoryTransport;
beforeEach(async () => {
  rig = await ReplicatorRig.open();
  ({ net, archive, self } = rig);
});
afterEach(() => rig.store.close());

describe('ledger link', () => {
  const link = (): LedgerLink => new LedgerLink({ kernels, transport: self, key, minimumFee: 3n, counterStart: 10n });

  it('signs over the final head, with a counter that goes up, and says whether somebody took it', async () => {
    const ledger = link();
    const head = chain[4]!.header;
    for (let times = 0; times < 2; times += 1)
      expect(await net.settle(ledger.send(['archive'], head, { kind: 'timestamp', digest: root.header.hash }))).toBe(
        true,
      );
    expect(archive.taken.map(({ counter, fee, lastValidCount }) => [counter, fee, lastValidCount])).toEqual([
      [11n, 3n, head.pohCount],
      [12n, 3n, head.pohCount],
    ]);
    expect(await world.check.signatures.transactions(archive.taken)).toEqual([true, true]);
    archive.lies.set(PROTOCOL.submit, () => [Uint8Array.of(1)]);
    expect(
      await net.settle(ledger.send(['archive', 'nobody'], head, { kind: 'timestamp', digest: root.header.hash })),
    ).toBe(false);
    expect(await net.settle(ledger.send([], head, { kind: 'timestamp', digest: root.header.hash }))).toBe(false);
  });

  it('reads its records, and takes no malformed ones', async () => {
    archive.records = { ...archive.records, slot: 9, balance: '77' };
    expect(await net.settle(link().records('archive'))).toEqual(archive.records);
    archive.lies.set(PROTOCOL.replicas, () => []);
    expect(await net.settle(link().records('archive'))).toBeUndefined();
    archive.lies.set(PROTOCOL.replicas, () => [Uint8Array.of(0x80)]);
    await expect(net.settle(link().records('archive'))).rejects.toBeInstanceOf(PeerFault);
  });
});
