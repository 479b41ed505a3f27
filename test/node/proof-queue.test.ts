/** Which pending proofs a validator checks first, in which jobs, and how it comes by their openings. */
import { describe, expect, it } from 'vitest';
import { type PendingProof, pendingProofs } from '../../src/ledger/index.ts';
import { holdersOf, Openings } from '../../src/node/proof-checks/openings.ts';
import { dueProofs, jobsOf } from '../../src/node/proof-checks/proof-queue.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { kernels, MarketWorld } from '../ledger/market-world.ts';
import { flipped, Scene } from './proof-scene.ts';
import { VirtualNet } from './virtual-net.ts';
import { SILENT } from './world.ts';

describe('the queue', () => {
  it('takes paid identities first, then the oldest, and no more than a look allows', async () => {
    const one = new MarketWorld({ replicators: 4, replication: { replicasPerSegment: 1 } });
    const [a, b, c, d] = one.replicators;
    one.done(one.replicators.map((who) => one.register(who)));
    for (const who of [a!, b!, c!, d!]) one.done([one.commit(who, 0, 0)]);
    one.reach(16);
    // The youngest alone proves, and so holds the place.
    one.done([one.prove(d!, 0, 2)]);
    one.done([one.approve(2, [{ segment: 0, identity: d!.address }])]);
    one.settle(2, [{ segment: 0, identity: d!.address }]);
    one.reach(24);
    one.done([c!, b!, a!, d!].map((who) => one.prove(who, 0, 3)));
    const due = dueProofs(one.chain.rules, one.chain.state, 0, one.slot, () => true);
    expect(due).toHaveLength(1);
    expect(
      due[0]!.proofs.map(({ identity }) =>
        one.replicators.findIndex(({ address }) => Buffer.compare(address, identity) === 0),
      ),
    ).toEqual([3, 0, 1, 2]);
    const some = dueProofs(
      one.chain.rules,
      one.chain.state,
      0,
      one.slot,
      ({ identity }) => identity !== undefined && Buffer.compare(identity, a!.address) !== 0,
    );
    expect(some[0]!.proofs).toHaveLength(3);
  });

  it('cuts jobs for the cores there are, never longer than half a GiB of encryption or 64 claims', () => {
    const claims = Array.from({ length: 100 }, (_, n) => n);
    const sizes = (lanes: number, claimSizeBytes: number) =>
      jobsOf(claims, lanes, claimSizeBytes).map((job) => job.length);
    expect(sizes(1, 0)).toEqual([64, 36]);
    expect(sizes(4, 0)).toEqual([25, 25, 25, 25]);
    expect(sizes(1, 16 * 1024 * 1024)).toEqual([32, 32, 32, 4]);
    expect(sizes(1, 2 ** 30)).toEqual(claims.map(() => 1));
    expect(jobsOf(claims, 3, 0).flat()).toEqual(claims);
    expect(jobsOf([], 3, 0)).toEqual([]);
  });
});

describe('openings', () => {
  it('are taken only with the digest on the ledger, from who holds the key, and asked for again later', async () => {
    const scene = new Scene('open', 1);
    const { world } = scene;
    await scene.ready();
    const who = world.replicators[0]!;
    const made = await scene.make(who, 1);
    world.done([scene.draft(who, 1, made)]);
    const proofs: PendingProof[] = [...pendingProofs(world.chain.rules, world.chain.state, 0, world.slot)];
    const net = new VirtualNet();
    const [liar, holder, self] = [await net.peer('liar'), await net.peer('holder'), await net.peer('self')];
    let served = false;
    let asked = 0;
    liar.handle(PROTOCOL.opening, async function* () {
      asked++;
      yield flipped(made.body, 40);
    });
    holder.handle(PROTOCOL.opening, async function* () {
      if (!served) return;
      yield made.body.subarray(0, 100);
      yield made.body.subarray(100);
    });
    for (const name of ['liar', 'holder']) await net.settle(self.dial(net.network.addressOf(name)));
    const statuses = new Map([
      ['liar', { publicKey: who.key }],
      ['stranger', { publicKey: world.payer.key }],
      ['nobody', { publicKey: null }],
      ['holder', { publicKey: who.key }],
    ]);
    const holders = (key: Uint8Array): string[] => holdersOf(statuses, key);
    expect(holders(who.key)).toEqual(['liar', 'holder']);
    const openings = new Openings({ kernels, transport: self, genesis: world.chain.genesis, holders, log: SILENT });
    expect(await net.settle(openings.fetchAll(proofs, 10))).toEqual([undefined]);
    served = true;
    expect(await net.settle(openings.fetchAll(proofs, 11))).toEqual([undefined]);
    expect(asked).toBe(1);
    expect(await net.settle(openings.fetchAll(proofs, 12))).toEqual([made.body]);
    expect(asked).toBe(2);
  });
});
