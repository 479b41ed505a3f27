/** A whole replicator node among peers: which segments it keeps, whom it asks, and when it gives up. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { Peers } from '../../src/node/relay/peers.ts';
import type { FinalityFollower } from '../../src/node/replicator/finality-follower.ts';
import { KeptChain } from '../../src/node/replicator/kept-chain.ts';
import { LedgerLink } from '../../src/node/replicator/ledger-link.ts';
import { MarketView } from '../../src/node/replicator/market-view.ts';
import type { OpeningFolder } from '../../src/node/replicator/opening-folder.ts';
import { PacketGatherer } from '../../src/node/replicator/packet-gatherer.ts';
import type { ReplicaKeeper } from '../../src/node/replicator/replica-keeper.ts';
import { ReplicatorNode } from '../../src/node/replicator/replicator-node.ts';
import type { SegmentSource } from '../../src/node/replicator/segment-source.ts';
import { diskFiles, FilesError } from '../../storage/index.ts';
import { freshDirectory } from './directories.ts';
import { FakeArchive } from './fake-archive.ts';
import { chain, key, ReplicatorRig, SEGMENT_SIZE_BYTES, world } from './replicator-rig.ts';
import type { VirtualNet } from './virtual-net.ts';
import { kernels, SILENT } from './world.ts';

let rig: ReplicatorRig;
let net: VirtualNet;
let archive: FakeArchive;
let self: MemoryTransport;
let follower: FinalityFollower;
let segments: SegmentSource;
let folder: OpeningFolder;
beforeEach(async () => {
  rig = await ReplicatorRig.open();
  ({ net, archive, self, follower, segments, folder } = rig);
});
afterEach(() => rig.store.close());

describe('replicator node', () => {
  async function newNode(bootstrap: string[], keeper: ReplicaKeeper = rig.newKeeper()) {
    const fatal: Error[] = [];
    const status = (): ReturnType<FakeArchive['status']> => ({ ...archive.status(), role: 'replicator' });
    const { chainId } = world.check.rules;
    const peers = new Peers({
      transport: self,
      log: SILENT,
      chainId,
      slotDurationMs: 500,
      bootstrap,
      status,
      isSigned: () => true,
      onStatus: () => {},
    });
    const ledger = new LedgerLink({ kernels, transport: self, key, minimumFee: 1n, counterStart: 0n });
    await net.settle(peers.start());
    const node = new ReplicatorNode({
      genesis: world.genesis,
      transport: self,
      peers,
      key,
      follower,
      segments,
      ledger,
      keeper,
      gatherer: new PacketGatherer({
        ...{ kernels, transport: self, rules: world.check.rules, signatures: world.check.signatures },
        ...{
          electorate: () => follower.electorate,
          identity: key.address,
          validators: () => [],
          send: async () => true,
          log: SILENT,
        },
      }),
      folder,
      store: rig.store,
      kept: await KeptChain.open(kernels, diskFiles(), join(await freshDirectory(), 'chain')),
      market: new MarketView({ kernels, transport: self, identity: key.address, schedule: world.genesis.replication }),
      served: () => 0,
      capacityBytes: SEGMENT_SIZE_BYTES * 2,
      wanted: undefined,
      pause: () => delay(250),
      faultsAllowed: false,
      log: SILENT,
      onFatal: (error) => fatal.push(error),
    });
    const runUntil = async (isDone: () => boolean): Promise<void> => {
      node.start();
      const deadline = performance.now() + 15_000;
      const watch = async (): Promise<void> => {
        while (!isDone() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
      };
      await net.settle(watch());
      await net.settle(node.stop());
      peers.stop();
      expect(isDone()).toBe(true);
    };
    return { node, runUntil, fatal };
  }

  it('registers, then keeps the segments that need replicas most', async () => {
    archive.finalHeight = 20;
    archive.records = { ...archive.records, registered: false };
    // Others prove enough replicas of all but two segments.
    const standings = archive.segments().map((_, segment) => {
      const proven = segment === 1 || segment === 3 ? 1 : 4;
      return { segment, proven, replicas: proven };
    });
    archive.standings = { ...archive.standings, standings };
    // The archive stands in for a validator too.
    const validator = await net.peer('validator');
    const other = new FakeArchive(world, chain, validator);
    other.standings = archive.standings;
    other.status = () => ({ ...archive.status(), role: 'validator' });
    const { node, runUntil, fatal } = await newNode([
      net.network.addressOf('archive'),
      net.network.addressOf('validator'),
    ]);
    expect(node.health().ok).toBe(false);
    await runUntil(() => {
      if (other.taken.length > 0) archive.records = { ...archive.records, registered: true };
      return node.status().usedBytes === 2 * SEGMENT_SIZE_BYTES;
    });
    expect(other.taken[0]!.payload).toMatchObject({ kind: 'register', deposit: 1000n });
    expect(node.status().replicas.map(({ segment }) => segment)).toEqual([1, 3]);
    expect(node.health().ok).toBe(true);
    expect(await node.readHistory(1, 0, SEGMENT_SIZE_BYTES)).toEqual(archive.segments()[1]);
    await expect(node.injectCorruption(null)).rejects.toMatchObject({ code: 'not-supported' });
    expect(fatal).toEqual([]);
  });

  it('asks another peer when one lies or is silent', async () => {
    const named = async (name: string): Promise<FakeArchive> => {
      const made = new FakeArchive(world, chain, await net.peer(name));
      made.finalHeight = 20;
      return made;
    };
    (await named('liar')).lies.set(PROTOCOL.segment, (truth) => [truth[0]!.with(0, 7), truth[1]!]);
    (await named('silent')).lies.set(PROTOCOL.finality, async function* () {
      await new Promise(() => {});
      yield new Uint8Array(0);
    });
    await named('honest');
    net.network.sever('self', 'archive');
    await archive.transport.stop();
    const { node, runUntil } = await newNode(['liar', 'silent'].map((name) => net.network.addressOf(name)));
    let isDialled = false;
    await runUntil(() => {
      if (!isDialled && !self.peers().includes('liar')) {
        isDialled = true;
        void self.dial(net.network.addressOf('honest'));
      }
      return node.status().usedBytes === 2 * SEGMENT_SIZE_BYTES;
    });
    expect(self.peers()).toEqual(['silent', 'honest']);
  });

  it('gives up when its disk fails', async () => {
    archive.finalHeight = 20;
    const failing = rig.newKeeper();
    const { fatal, runUntil } = await newNode([net.network.addressOf('archive')], failing);
    rig.store.encode = async () => {
      throw new FilesError('no-space', 'x', 'no space');
    };
    await runUntil(() => fatal.length > 0);
    expect(fatal[0]).toMatchObject({ code: 'no-space' });
  });
});
