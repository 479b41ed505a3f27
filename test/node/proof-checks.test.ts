/** A validator's checks of storage proofs: real replicas of a small segment, in all three modes; what is said, signed, sent, and when. */
import { describe, expect, it } from 'vitest';
import { type Hash, hash } from '../../native/index.ts';
import { encodeSegment } from '../../replicator/encode.ts';
import {
  createVrfKey,
  deriveCipher,
  deriveSampleSeed,
  makeOpening,
  memorySource,
  proveKey,
  proveSamples,
  samplesRoot,
} from '../../replicator/index.ts';
import {
  hasFinding,
  type Payload,
  packSignedMessages,
  replicaNameOrder,
  type VerdictReason,
  validationMessage,
} from '../../src/codec/index.ts';
import {
  electorateAfter,
  fakeOpening,
  fakeSamplesRoot,
  openingDigest,
  openingRestHash,
  type PendingProof,
  pendingProofs,
  readDesignated,
  readFaults,
  readRotationHash,
} from '../../src/ledger/index.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { FindingsBook } from '../../src/node/proof-checks/findings-book.ts';
import { holdersOf, Openings } from '../../src/node/proof-checks/openings.ts';
import { ProofChecker, type ProofCheckerDeps } from '../../src/node/proof-checks/proof-checker.ts';
import { dueProofs, jobsOf } from '../../src/node/proof-checks/proof-queue.ts';
import { storageJob } from '../../src/node/proof-checks/storage-job.ts';
import { type StorageProofJob, verifyMany } from '../../src/node/proof-checks/storage-proof-worker.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { startVerifyPool } from '../../src/node/threads/index.ts';
import type { ModuleJob } from '../../src/node/threads/verifier.ts';
import { segmentRootOf } from '../../storage/index.ts';
import type { Draft } from '../ledger/fixture.ts';
import { kernels, MarketWorld, type Signer, secretOf } from '../ledger/market-world.ts';
import { VirtualNet } from './virtual-net.ts';
import { SILENT } from './world.ts';

const HISTORY = { segmentSizeBytes: 16_384, leafSizeBytes: 64 };
const SEGMENT = Uint8Array.from({ length: HISTORY.segmentSizeBytes }, (_, at) => (at * 31 + (at >> 8) * 7) & 0xff);
const SEGMENT_ROOT = segmentRootOf(kernels, HISTORY, SEGMENT);

type Mode = 'stream' | 'open' | 'both';
interface Made {
  readonly samplesRoot: Hash;
  readonly body: Uint8Array;
  readonly sampleProof: Uint8Array;
}

/** A chain on which replicators prove a real segment 0. */
class Scene {
  readonly world: MarketWorld;
  readonly mode: Mode;
  readonly bodies = new Map<string, Uint8Array>();
  readonly sent: Payload[] = [];
  readonly jobs: StorageProofJob[] = [];
  asked = 0;

  constructor(mode: Mode, replicators: number, layers: 1 | 2 = 1) {
    this.mode = mode;
    const replication = {
      mode,
      layers,
      samplesPerProof: 20,
      checksPerProof: 4,
      sampleBlockSizeBytes: 1024,
      fakeSharePermille: 500,
    };
    this.world = new MarketWorld({ replicators, replication, history: HISTORY });
  }

  async replica(who: Signer) {
    const rotationHash = readRotationHash(this.world.chain.rules.replication, this.world.chain.state, 0)!.pohHash;
    const keyProof = proveKey(createVrfKey(who.seed), { segment: 0, rotation: 0, rotationHash });
    const cipher = deriveCipher({ identity: who.key, segment: 0, rotation: 0, rotationHash }, keyProof);
    if (cipher === false) throw new RangeError('own key proof');
    const replica = new Uint8Array(SEGMENT.length);
    const sink = {
      writeReplica: async (offset: number, piece: Uint8Array) => replica.set(piece, offset),
      writeLeafHashes: async () => undefined,
    };
    const { layers } = this.world.chain.rules.replication;
    const { replicaRoot } = await encodeSegment(kernels, SEGMENT, sink, { cipher, geometry: HISTORY, layers });
    return { keyProof, cipher, replica, replicaRoot };
  }

  /** Registers and commits; `root` replaces the true one. */
  async commit(who: Signer, root?: Hash): Promise<Draft> {
    const { keyProof, replicaRoot } = await this.replica(who);
    return {
      from: who,
      payload: { kind: 'commit', segment: 0, rotation: 0, keyProof, replicaRoot: root ?? hash(replicaRoot) },
    };
  }

  async make(who: Signer, period: number): Promise<Made> {
    const periodHash = readDesignated(this.world.chain.state, period)!.pohHash;
    const sampleProof = proveSamples(createVrfKey(who.seed), { segment: 0, period, periodHash });
    const seed = deriveSampleSeed({ identity: who.key, segment: 0, period, periodHash }, sampleProof);
    if (seed === false) throw new RangeError('own sample proof');
    const { cipher, replica } = await this.replica(who);
    const layout = { replicaSizeBytes: SEGMENT.length, sampleBlockSizeBytes: 1024 };
    const reader = {
      sizeBytes: replica.length,
      read: async (at: number, into: Uint8Array) => into.set(replica.subarray(at, at + into.length)),
    };
    const root = await samplesRoot(kernels, reader as never, { layout, periodHash, seed });
    const shape = {
      geometry: HISTORY,
      layers: this.world.chain.rules.replication.layers,
      parameters: { sampleCount: 20, checkCount: 4 },
    };
    const body = await makeOpening(
      kernels,
      memorySource(kernels, { segment: SEGMENT, replica, cipher }, HISTORY),
      shape,
      seed,
    );
    return { samplesRoot: root, body, sampleProof };
  }

  /** A proof's transaction; `body` (if given) is what is served, and what the digest is of. */
  draft(who: Signer, period: number, made: Made): Draft {
    const { samplesRoot: root, body, sampleProof } = made;
    if (this.mode === 'stream')
      return { from: who, payload: { kind: 'prove', segment: 0, period, sampleProof, samplesRoot: root } };
    this.bodies.set(`${Buffer.from(who.key).toString('hex')}/${period}`, body);
    const digest = openingDigest(kernels, body);
    const zero = hash(new Uint8Array(32));
    return {
      from: who,
      payload: {
        kind: 'proveOpen',
        segment: 0,
        period,
        sampleProof,
        samplesRoot: this.mode === 'open' ? zero : root,
        openingDigest: digest,
      },
    };
  }

  /** Everybody registered and committed, and the slot in which period 1 may be proven. */
  async ready(): Promise<void> {
    const { world } = this;
    world.done(world.replicators.map((who) => world.register(who)));
    world.done(await Promise.all(world.replicators.map((who) => this.commit(who))));
    world.reach(5);
  }

  get final(): ChainBlock {
    const { rules, state } = this.world.chain;
    const electorate = electorateAfter(rules, state);
    return { header: { slot: this.world.slot }, state, electorate } as unknown as ChainBlock;
  }

  checker(validator: Signer, changes: Partial<ProofCheckerDeps> = {}): ProofChecker {
    const { genesis, rules } = this.world.chain;
    const run = async ({ argument, functionName }: ModuleJob): Promise<unknown> => {
      expect(functionName).toBe('verifyMany');
      this.jobs.push(argument as StorageProofJob);
      return verifyMany(kernels, argument as StorageProofJob);
    };
    return new ProofChecker({
      genesis,
      rules,
      verifier: { run } as unknown as ProofCheckerDeps['verifier'],
      lanes: 2,
      publicKey: validator.key,
      book: new FindingsBook(rules.chainId, validator.signing),
      segment: async () => ({ bytes: SEGMENT, root: SEGMENT_ROOT }),
      segmentRoot: () => SEGMENT_ROOT,
      openings: async (proofs) => {
        this.asked += proofs.length;
        return proofs.map(({ publicKey, period }) =>
          this.bodies.get(`${Buffer.from(publicKey).toString('hex')}/${period}`),
        );
      },
      send: async (payload) => {
        this.sent.push(payload);
      },
      log: SILENT,
      ...changes,
    });
  }
  entries() {
    return this.world.replicators.map(({ address }) => ({ segment: 0, identity: address })).sort(replicaNameOrder);
  }
  /** The verdicts sent so far, by replicator. */
  verdicts(): Record<string, VerdictReason | 'valid'> {
    const said: Record<string, VerdictReason | 'valid'> = {};
    for (const payload of this.sent)
      if (payload.kind === 'verdicts')
        for (const { identity, valid, reason } of payload.verdicts) {
          const n = this.world.replicators.findIndex(({ address }) => Buffer.compare(address, identity) === 0);
          said[n] = valid ? 'valid' : (reason ?? 'unstated');
        }
    return said;
  }
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = bytes.slice();
  copy[at]! ^= 1;
  return copy;
};

describe('verifyMany', () => {
  it('judges dozens of identities in one pass, each by its own fault', async () => {
    const scene = new Scene('stream', 24);
    const { world } = scene;
    const [badKey, badRoot, badSample, badSamples] = world.replicators;
    world.done(world.replicators.map((who) => world.register(who)));
    const commits = await Promise.all(world.replicators.map((who) => scene.commit(who)));
    // The first copies the second's commit word for word; the second commits to another root.
    commits[0] = { ...commits[1]!, from: badKey! };
    commits[1] = await scene.commit(badRoot!, hash(new Uint8Array(32).fill(9)));
    world.done(commits);
    world.reach(5);
    const drafts = await Promise.all(
      world.replicators.map(async (who) => {
        const made = await scene.make(who, 1);
        if (who === badSample) return scene.draft(who, 1, { ...made, sampleProof: flipped(made.sampleProof, 3) });
        if (who === badSamples)
          return scene.draft(who, 1, { ...made, samplesRoot: hash(flipped(made.samplesRoot, 0)) });
        return scene.draft(who, 1, made);
      }),
    );
    world.done(drafts);
    const proofs = [...pendingProofs(world.chain.rules, world.chain.state, 0, world.slot)];
    const claims = proofs.map((proof) => storageJob.claim(proof, undefined, true));
    const job = storageJob.of(world.chain.genesis, SEGMENT_ROOT, SEGMENT, true, claims);
    const findings = await verifyMany(kernels, job);
    const reasonOf = (who: Signer | undefined) =>
      findings[proofs.findIndex(({ identity }) => Buffer.compare(identity, who!.address) === 0)]!.reason;
    expect(reasonOf(badKey)).toBe('key-proof');
    expect(reasonOf(badRoot)).toBe('replica-root');
    expect(reasonOf(badSample)).toBe('sample-proof');
    expect(reasonOf(badSamples)).toBe('samples-root');
    expect(findings.filter(({ valid }) => valid)).toHaveLength(20);
    // With another segment in hand nothing is said of anybody.
    await expect(verifyMany(kernels, { ...job, segment: flipped(SEGMENT, 77) })).rejects.toThrowError(/segment root/);
  });

  it('judges openings without the segment, with the reason that fails first', async () => {
    const scene = new Scene('open', 5, 2);
    const { world } = scene;
    await scene.ready();
    const made = await Promise.all(world.replicators.map((who) => scene.make(who, 1)));
    const bodies = [
      made[0]!.body,
      flipped(made[1]!.body, 0),
      made[2]!.body.subarray(0, made[2]!.body.length - 1),
      flipped(made[3]!.body, made[3]!.body.length - 1),
      made[0]!.body,
    ];
    world.done(world.replicators.map((who, n) => scene.draft(who, 1, { ...made[n]!, body: bodies[n]! })));
    await scene.checker(world.validators[0]!).look(scene.final);
    expect(scene.jobs.every(({ segment }) => segment === undefined)).toBe(true);
    // Another's openings are of other leaves: their number, or their path, gives them away.
    const { 4: copied, ...others } = scene.verdicts();
    expect(others).toEqual({ 1: 'replica-opening', 2: 'opening-length', 3: 'segment-opening' });
    expect(['opening-length', 'replica-opening']).toContain(copied);
  });
});

describe('a checker', () => {
  it('sends rejections at once, leaves approvals to packets for a while, and signs both', async () => {
    const scene = new Scene('stream', 3);
    const { world } = scene;
    await scene.ready();
    const made = await Promise.all(world.replicators.map((who) => scene.make(who, 1)));
    world.done(
      world.replicators.map((who, n) =>
        scene.draft(who, 1, n === 2 ? { ...made[n]!, samplesRoot: hash(new Uint8Array(32)) } : made[n]!),
      ),
    );
    const validator = world.validators[1]!;
    const checker = scene.checker(validator);
    expect(checker.sign(1, scene.entries())).toBeNull();
    await checker.look(scene.final);
    expect(scene.verdicts()).toEqual({ 2: 'samples-root' });
    expect(checker.counts).toEqual({ verified: 3, invalid: 1 });
    const entries = scene.entries();
    const signed = checker.sign(1, entries)!;
    const wrong = entries.findIndex(({ identity }) => Buffer.compare(identity, world.replicators[2]!.address) === 0);
    expect(entries.map((_, n) => [hasFinding(signed.valid, n), hasFinding(signed.invalid, n)])).toEqual(
      entries.map((_, n) => [n !== wrong, n === wrong]),
    );
    const message = validationMessage(world.chain.rules.chainId, { period: 1, entries }, signed);
    expect(validator.signing.sign(message)).toEqual(signed.signature);
    // What it has not checked it says nothing of.
    expect(checker.sign(2, entries)).toBeNull();
    await checker.look(scene.final);
    expect(scene.sent).toHaveLength(1);
    world.reach(world.slot + 2);
    await checker.look(scene.final);
    expect(scene.verdicts()).toEqual({ 0: 'valid', 1: 'valid', 2: 'samples-root' });
    expect(checker.counts.verified).toBe(3);
  });

  it('recomputes a committed root once, and only samples afterwards', async () => {
    const scene = new Scene('stream', 1);
    const { world } = scene;
    await scene.ready();
    const checker = scene.checker(world.validators[0]!);
    for (const period of [1, 2]) {
      world.reach(period * 4 + 1);
      world.done([scene.draft(world.replicators[0]!, period, await scene.make(world.replicators[0]!, period))]);
      await checker.look(scene.final);
    }
    expect(scene.jobs.map(({ claims }) => claims[0]!.replica.replicaRoot !== undefined)).toEqual([true, false]);
    expect(checker.counts).toEqual({ verified: 2, invalid: 0 });
  });

  it('calls openings not available only when there is no time left to ask again', async () => {
    const scene = new Scene('open', 2);
    const { world } = scene;
    await scene.ready();
    const made = await Promise.all(world.replicators.map((who) => scene.make(who, 1)));
    world.done(world.replicators.map((who, n) => scene.draft(who, 1, made[n]!)));
    const name = `${Buffer.from(world.replicators[1]!.key).toString('hex')}/1`;
    const body = scene.bodies.get(name)!;
    scene.bodies.delete(name);
    const checker = scene.checker(world.validators[0]!);
    await checker.look(scene.final);
    expect(checker.counts).toEqual({ verified: 1, invalid: 0 });
    // Verdicts on period 1 close after slot 12: from slot 11 on it is too late.
    world.reach(10);
    await checker.look(scene.final);
    expect(checker.counts.verified).toBe(1);
    world.reach(11);
    await checker.look(scene.final);
    expect(scene.verdicts()).toEqual({ 0: 'valid', 1: 'not-available' });
    // Openings that turn up afterwards change nothing that was said.
    scene.bodies.set(name, body);
    await checker.look(scene.final);
    const signed = checker.sign(1, scene.entries())!;
    const late = scene
      .entries()
      .findIndex(({ identity }) => Buffer.compare(identity, world.replicators[1]!.address) === 0);
    expect(hasFinding(signed.invalid, late)).toBe(true);
  });

  it('in mode both follows the openings, and samples where it has the segment', async () => {
    const scene = new Scene('both', 3);
    const { world } = scene;
    await scene.ready();
    const made = await Promise.all(world.replicators.map((who) => scene.make(who, 1)));
    const wrongRoot = { ...made[1]!, samplesRoot: hash(new Uint8Array(32).fill(1)) };
    const wrongBody = { ...made[2]!, body: flipped(made[2]!.body, 0) };
    world.done([made[0]!, wrongRoot, wrongBody].map((each, n) => scene.draft(world.replicators[n]!, 1, each)));
    await scene.checker(world.validators[0]!).look(scene.final);
    expect(scene.verdicts()).toEqual({ 1: 'samples-root', 2: 'replica-opening' });
    scene.sent.length = 0;
    const without = scene.checker(world.validators[1]!, { segment: async () => undefined });
    await without.look(scene.final);
    expect(scene.verdicts()).toEqual({ 2: 'replica-opening' });
    expect(without.counts.verified).toBe(3);
  });

  it('finds fakes of every mode, and whoever did not is at fault', async () => {
    for (const mode of ['stream', 'open', 'both'] as const) {
      const scene = new Scene(mode, 1);
      const { world } = scene;
      const who = world.replicators[0]!;
      await scene.ready();
      world.done([scene.draft(who, 1, await scene.make(who, 1))]);
      world.done([world.approve(1, scene.entries())]);
      world.reach(9);
      const made = await scene.make(who, 2);
      const subject = world.subject(who, 0, 2);
      const secret = secretOf(mode);
      const fake = {
        ...made,
        samplesRoot: fakeSamplesRoot(kernels, subject, secret),
        body: fakeOpening(kernels, subject, secret, made.body),
      };
      world.done([scene.draft(who, 2, fake)]);
      const honest = scene.checker(world.validators[0]!);
      await honest.look(scene.final);
      expect(scene.verdicts()).toEqual({ 0: mode === 'stream' ? 'samples-root' : 'replica-opening' });
      // Everything that can be seen without following the openings to their root is as in the true proof.
      expect(fake.body).toHaveLength(made.body.length);
      const signed = honest.sign(2, scene.entries())!;
      const lazy = world.findings(world.validators[1]!, 2, scene.entries(), () => true);
      const voters = [signed, lazy].sort((a, b) => a.seat - b.seat);
      world.done([
        { from: who, payload: { kind: 'validations', period: 2, entries: scene.entries(), voters }, fee: 3n },
      ]);
      const restHash = mode === 'stream' ? hash(new Uint8Array(32)) : openingRestHash(kernels, fake.body);
      world.done([world.reveal(who, 0, 2, secret, restHash)], 13);
      const faults = world.validators.map(({ key }) => readFaults(world.chain.state, key)?.faults ?? 0);
      expect([mode, ...faults]).toEqual([mode, 0, 1, 0, 0]);
    }
  });

  it('works on one look at a time', async () => {
    const scene = new Scene('stream', 1);
    await scene.ready();
    scene.world.done([scene.draft(scene.world.replicators[0]!, 1, await scene.make(scene.world.replicators[0]!, 1))]);
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let runs = 0;
    const run = async (job: ModuleJob): Promise<unknown> => {
      runs++;
      await gate;
      return verifyMany(kernels, job.argument as StorageProofJob);
    };
    const checker = scene.checker(scene.world.validators[0]!, {
      verifier: { run } as unknown as ProofCheckerDeps['verifier'],
    });
    const first = checker.look(scene.final);
    for (let n = 0; n < 5; n++) await checker.look(scene.final);
    open();
    await first;
    expect(runs).toBe(1);
    expect(checker.counts.verified).toBe(1);
  });
});

describe('on verify threads', () => {
  it('the same is found, on memory that they share, while signatures do not wait', async () => {
    const scene = new Scene('both', 4);
    const { world } = scene;
    await scene.ready();
    const made = await Promise.all(world.replicators.map((who) => scene.make(who, 1)));
    world.done(
      made.map((each, n) =>
        scene.draft(world.replicators[n]!, 1, n === 3 ? { ...each, body: flipped(each.body, 0) } : each),
      ),
    );
    const verifier = startVerifyPool({ threads: 2, onFatal: () => {} });
    try {
      const checker = scene.checker(world.validators[0]!, { verifier });
      const checking = checker.look(scene.final);
      const message = new Uint8Array([1]);
      const signing = world.payer.signing;
      const batch = packSignedMessages([{ publicKey: signing.publicKey, signature: signing.sign(message), message }]);
      expect([...(await verifier.ed25519Verify(batch))]).toEqual([1]);
      await checking;
      expect(checker.counts).toEqual({ verified: 4, invalid: 1 });
      expect(scene.verdicts()).toEqual({ 3: 'replica-opening' });
    } finally {
      await verifier.stop();
    }
  });
});

describe('the queue', () => {
  it('takes paid identities first, then the oldest, and no more than a look allows', async () => {
    const one = new MarketWorld({ replicators: 4, replication: { replicasPerSegment: 1 } });
    const [a, b, c, d] = one.replicators;
    one.done(one.replicators.map((who) => one.register(who)));
    for (const who of [a!, b!, c!, d!]) one.done([one.commit(who, 0, 0)]);
    one.reach(8);
    // The youngest alone proves, and so holds the place.
    one.done([one.prove(d!, 0, 2)]);
    one.done([one.approve(2, [{ segment: 0, identity: d!.address }])]);
    one.reach(12);
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
