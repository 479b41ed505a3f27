import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hash } from '../../native/index.ts';
import {
  createVrfKey,
  decodeOpenFile,
  decodeProofFile,
  deriveSampleSeed,
  proveKey,
  type Replica,
  ReplicaStore,
  verifyOpen,
} from '../../replicator/index.ts';
import {
  findingsSecret,
  type Payload,
  sealFindings,
  signingKey,
  type UnsealPayload,
  type ValidationsPayload,
} from '../../src/codec/index.ts';
import {
  fakeOpening,
  fakeSamplesRoot,
  genesisElectorate,
  openingDigest,
  openingRestHash,
  sealLastSlot,
} from '../../src/ledger/index.ts';
import { encodeMessage, PROTOCOL, type ReplicaStatus } from '../../src/node/protocols.ts';
import { FakeReveals } from '../../src/node/replicator/fake-reveals.ts';
import { OpeningFolder } from '../../src/node/replicator/opening-folder.ts';
import { PacketGatherer } from '../../src/node/replicator/packet-gatherer.ts';
import { type ProofRequest, Prover } from '../../src/node/replicator/prover.ts';
import { diskFiles, segmentRootOf } from '../../storage/index.ts';
import { freshDirectory, keptDirectory, removeKept } from './directories.ts';
import { VirtualNet } from './virtual-net.ts';
import { kernels, keyOf, newWorld, SILENT } from './world.ts';

const world = newWorld();
const seed = new Uint8Array(32).fill(9);
const key = signingKey(seed);
const geometry = { segmentSizeBytes: 64 * 1024, leafSizeBytes: 1024 };
const block = (text: string): ProofRequest['periodBlock'] => {
  const pohHash = hash(kernels.sha256(Buffer.from(text)));
  return { height: 3, blockHash: pohHash, pohHash };
};
const rotationBlock = block('rotation');
let store: ReplicaStore;
let replica: Replica;
let folder: OpeningFolder;
let directory: string;

beforeAll(async () => {
  const segment = Uint8Array.from({ length: geometry.segmentSizeBytes }, (_, index) => (index * 31) & 0xff);
  const place = join(await keptDirectory(), 'replicas');
  store = await ReplicaStore.open({
    ...{ kernels, files: diskFiles(), directory: place, identity: key.publicKey, geometry },
  });
  const rotationHash = rotationBlock.pohHash;
  const keyProof = proveKey(createVrfKey(seed), { segment: 0, rotation: 0, rotationHash });
  const segmentRoot = segmentRootOf(kernels, geometry, segment);
  await store.encode({ segment: 0, rotation: 0, rotationHash, keyProof, source: segment, segmentRoot });
  replica = await store.get({ segment: 0, rotation: 0 });
});
beforeEach(async () => {
  directory = join(await freshDirectory(), 'openings');
  folder = await OpeningFolder.open(diskFiles(), directory, 1 << 20);
});
afterAll(async () => {
  await replica.close();
  await store.close();
  await removeKept();
});

type Mode = 'stream' | 'open' | 'both';

function newProver(mode: Mode, fakeSharePermille = 0): Prover {
  const market = { mode, samplesPerProof: 40, checksPerProof: 6, sampleBlockSizeBytes: 4096, fakeSharePermille };
  return new Prover({
    ...{ kernels, vrf: createVrfKey(seed), seed, identity: key.publicKey, address: key.address },
    chainId: world.check.rules.chainId,
    genesis: { history: geometry, replication: { ...world.genesis.replication, ...market } },
    ...{ folder, unchecked: false },
  });
}

const request = (period: number, changes: Partial<ProofRequest> = {}): ProofRequest => ({
  ...{ header: replica.header, replica, period, rotationBlock, periodBlock: block(`period ${period}`) },
  ...{ accepted: 0, fakes: 0, ...changes },
});

describe('a true proof', () => {
  it.each<[Mode, string[]]>([
    ['stream', ['proof']],
    ['open', ['proof']],
    ['both', ['proof', 'open.proof']],
  ])('in mode %s says what the mode asks for, and keeps what will be asked', async (mode, endings) => {
    const { payload, files, isFake } = await newProver(mode).prove(request(5));
    expect([isFake, files.map(({ ending }) => ending)]).toEqual([false, endings]);
    expect(payload.kind).toBe(mode === 'stream' ? 'prove' : 'proveOpen');
    expect(payload.samplesRoot.every((byte) => byte === 0)).toBe(mode === 'open');
    const body = await folder.opening(0, 5);
    expect(body === undefined).toBe(mode === 'stream');
    if (payload.kind !== 'proveOpen') return expect(decodeProofFile(kernels, files[0]!.bytes).period).toBe(5);
    expect(openingDigest(kernels, body!)).toEqual(payload.openingDigest);
    expect(decodeOpenFile(kernels, files.at(-1)!.bytes).body).toEqual(body);
    const { header } = replica;
    const { identity, segment, rotation, rotationHash, keyProof, replicaRoot, segmentRoot } = header;
    const periodHash = block('period 5').pohHash;
    const claim = {
      ...{ identity, segment, rotation, rotationHash, keyProof, period: 5, periodHash },
      ...{ sampleProof: payload.sampleProof, body: body! },
    };
    const shape = { geometry, layers: 1 as const, parameters: { sampleCount: 40, checkCount: 6 } };
    expect(deriveSampleSeed(claim, payload.sampleProof)).not.toBe(false);
    expect(verifyOpen(kernels, claim, shape, { replicaRoot, segmentRoot })).toBeUndefined();
  });
});

describe('fakes', () => {
  /** Proves periods until one is a fake. */
  async function firstFake(prover: Prover): Promise<{ period: number; payload: Payload }> {
    for (let period = 0; period < 200; period += 1) {
      const { payload, isFake } = await prover.prove(request(period, { accepted: 1000 }));
      if (isFake) return { period, payload };
    }
    throw new RangeError('no fake in 200 periods');
  }

  it('look like proofs, are known by their secret, and leave a kill as they were', async () => {
    const { period, payload } = await firstFake(newProver('both', 300));
    if (payload.kind !== 'proveOpen') throw new TypeError('mode both');
    const [fake] = folder.fakes;
    const subject = { identity: key.address, segment: 0, period, periodHash: block(`period ${period}`).pohHash };
    expect(payload.samplesRoot).toEqual(fakeSamplesRoot(kernels, subject, fake!.secret));
    const body = (await folder.opening(0, period))!;
    expect(openingDigest(kernels, body)).toEqual(payload.openingDigest);
    expect(openingRestHash(kernels, body)).toEqual(fake!.restHash);
    expect(fakeOpening(kernels, subject, fake!.secret, body)).toEqual(body);
    // A process that comes back finds the secret, and would send the very same proof.
    folder = await OpeningFolder.open(diskFiles(), directory, 1 << 20);
    expect(folder.fakes).toEqual([fake]);
    const again = await newProver('both', 300).prove(request(period, { accepted: 1000 }));
    expect([again.isFake, again.payload]).toEqual([true, payload]);
  });

  it('are one at a time, within the share, and none without one', async () => {
    const prover = newProver('stream', 300);
    await firstFake(prover);
    for (let period = 300; period < 330; period += 1)
      expect((await prover.prove(request(period, { accepted: 1000 }))).isFake).toBe(false);
    await folder.dropFake(folder.fakes[0]!);
    for (let period = 0; period < 60; period += 1)
      expect((await prover.prove(request(period, { accepted: 10, fakes: 4 }))).isFake).toBe(false);
    for (let period = 0; period < 60; period += 1)
      expect((await newProver('stream').prove(request(period, { accepted: 1000 }))).isFake).toBe(false);
  });

  it('are revealed in their window, again when that does not show, and not forgotten before', async () => {
    const sent: Payload[] = [];
    const send = async (payload: Payload): Promise<boolean> => sent.push(payload) > 0;
    const schedule = { slotsPerPeriod: 8, periodsPerRotation: 4 };
    const reveals = new FakeReveals({ schedule, market: { proofDeadlineSlots: 2 }, folder, send });
    const fake = { segment: 0, period: 2, secret: kernels.sha256(seed), restHash: new Uint8Array(32) };
    await folder.saveFake(fake);
    const record = (proof: ReplicaStatus['proof'], lastPeriod = 2): ReplicaStatus => ({
      ...{ segment: 0, rotation: 0, commitSlot: 0, lastPeriod, proof, accepted: 0, rejected: 0, expired: 0 },
      ...{ reason: 'unstated', paid: 0, misses: 0 },
    });
    // Slots 24 .. 26, the next period's up to its deadline: sent when the block before is final.
    await reveals.work(22, [record('rejected')]);
    await reveals.work(23, []);
    expect([sent.length, reveals.mustWait(0, 3, 23), reveals.mustWait(1, 3, 23)]).toEqual([0, true, false]);
    for (const slot of [23, 24]) await reveals.work(slot, [record('rejected')]);
    expect(sent).toEqual([23].map(() => ({ kind: 'revealFake', ...fake })));
    await reveals.work(25, [record('revealed')]);
    expect([folder.fakes, reveals.mustWait(0, 3, 25)]).toEqual([[], false]);
    await folder.saveFake(fake);
    await reveals.work(26, [record('rejected')]);
    expect(folder.fakes).toEqual([]);
  });
});

describe('opening folder', () => {
  it('gives what it holds, and forgets openings of decided periods but no fakes', async () => {
    for (const period of [3, 4, 5]) await folder.saveOpening(7, period, Uint8Array.of(period));
    await folder.saveFake({ segment: 7, period: 3, secret: seed, restHash: seed });
    await folder.forgetBelow(5);
    expect([await folder.opening(7, 4), await folder.opening(7, 5), folder.fakes.length]).toEqual([
      undefined,
      Uint8Array.of(5),
      1,
    ]);
  });
});

describe('packet gatherer', () => {
  /** Slots of the final head in period 4: while findings are sealed, and the last such one. */
  const CLOSED = sealLastSlot(world.check.rules.replication, 4);
  const OPEN = CLOSED - 1;
  const mine = key.address;
  const other = keyOf(77).address;

  async function gathered(lies: { readonly badSeat?: number; readonly silent?: readonly number[] } = {}) {
    const { rules, signatures } = world.check;
    const net = new VirtualNet();
    const self = await net.peer('self');
    const names = world.validators.map((_, seat) => `validator${seat}`);
    for (const [seat, validator] of world.validators.entries()) {
      const transport = await net.peer(names[seat]!);
      await net.settle(self.dial(net.network.addressOf(names[seat]!)));
      transport.handle(PROTOCOL.pendingProofs, async function* () {
        yield encodeMessage({
          entries: [
            { segment: 1, identity: Uint8Array.from(other) },
            { segment: 9, identity: Uint8Array.from(other) },
          ],
        });
      });
      transport.handle(PROTOCOL.validations, async function* (_, bytes) {
        if (lies.silent?.includes(seat)) return;
        const { ValidationsRequest, decodeMessage } = await import('../../src/node/protocols.ts');
        const { period, entries } = decodeMessage(ValidationsRequest, bytes, '', '');
        const list = {
          period,
          entries: entries.map(({ segment, identity }) => ({ segment, identity: identity as typeof mine })),
        };
        // Everybody rejects segment 9 and approves the rest.
        const words = list.entries.map(({ segment }) => segment !== 9);
        const signed = sealFindings(kernels, rules.chainId, list, words, seat, validator);
        yield encodeMessage({
          ...signed,
          ...(seat === lies.badSeat ? { signature: signed.signature.with(3, 1) } : {}),
        });
      });
      transport.handle(PROTOCOL.findingsSecret, async function* () {
        if (lies.silent?.includes(seat)) return;
        const secret = findingsSecret(kernels, { chainId: rules.chainId, seat, period: 4 }, validator);
        yield encodeMessage({ seat: seat === lies.badSeat ? 900 : seat, secret });
      });
    }
    const sent: { payload: ValidationsPayload | UnsealPayload; fees: number }[] = [];
    const electorate = genesisElectorate(world.genesis);
    const gatherer = new PacketGatherer({
      electorate: () => electorate,
      ...{ kernels, transport: self, rules, signatures, identity: mine, validators: () => names, log: SILENT },
      send: async (payload, fees) => sent.push({ payload, fees }) > 0,
    });
    return { net, gatherer, sent };
  }

  it('lands sealed findings on own and other proofs of everybody who speaks, once; then their secrets, once', async () => {
    const { net, gatherer, sent } = await gathered();
    await net.settle(gatherer.gather(4, [2, 3], OPEN));
    await net.settle(gatherer.gather(4, [2, 3], OPEN + 1));
    expect(sent).toHaveLength(1);
    const { payload, fees } = sent[0]!;
    if (payload.kind !== 'validations') throw new RangeError(payload.kind);
    // What they say of each, nobody can tell: also the proof that all reject goes along.
    expect(payload.entries.map(({ segment }) => segment)).toEqual([1, 2, 3, 9]);
    expect(payload.voters.map(({ seat, spoken }) => [seat, spoken[0]])).toEqual(
      world.validators.map((_, seat) => [seat, 0b1111]),
    );
    expect(fees).toBe(1 + world.validators.length);
    await net.settle(gatherer.gather(4, [2, 3], CLOSED + 1));
    await net.settle(gatherer.gather(4, [2, 3], CLOSED + 2));
    expect(sent).toHaveLength(2);
    const { payload: opening, fees: more } = sent[1]!;
    if (opening.kind !== 'unseal') throw new RangeError(opening.kind);
    expect(opening.entries.map(({ segment }) => segment)).toEqual([1, 2, 3, 9]);
    expect(opening.secrets.map(({ seat }) => seat)).toEqual(world.validators.map((_, seat) => seat));
    expect(more).toBe(1 + world.validators.length + 4);
    await net.settle(gatherer.gather(4, [2, 3], CLOSED + 5));
    expect(sent).toHaveLength(3);
  });

  it('sends sealed findings once more when there are no others', async () => {
    const { net, gatherer, sent } = await gathered();
    const counts: number[] = [];
    for (const before of [20, 17, 16, 12, 8]) {
      await net.settle(gatherer.gather(4, [2, 3], CLOSED - before));
      counts.push(sent.length);
    }
    expect(counts).toEqual([1, 1, 2, 2, 2]);
    // Another proof of its own is something new.
    await net.settle(gatherer.gather(4, [2, 3, 5], CLOSED - 1));
    expect(sent).toHaveLength(3);
  });

  it('leaves out a signature that does not hold, and sends nothing without two thirds', async () => {
    const lying = await gathered({ badSeat: 1 });
    await lying.net.settle(lying.gatherer.gather(4, [2], OPEN));
    await lying.net.settle(lying.gatherer.gather(4, [2], CLOSED + 1));
    const [sealed, opening] = lying.sent.map(({ payload }) => payload);
    expect((sealed as ValidationsPayload).voters.map(({ seat }) => seat)).toEqual([0, 2, 3]);
    // A secret of a seat that nobody has is left out; whether one fits, the ledger sees.
    expect((opening as UnsealPayload).secrets.map(({ seat }) => seat)).toEqual([0, 2, 3]);
    const quiet = await gathered({ badSeat: 1, silent: [2] });
    await quiet.net.settle(quiet.gatherer.gather(4, [2], OPEN));
    await quiet.net.settle(quiet.gatherer.gather(4, [2], CLOSED + 1));
    expect(quiet.sent).toEqual([]);
    await quiet.net.settle(quiet.gatherer.gather(4, [], OPEN));
    expect(quiet.sent).toEqual([]);
  });
});
