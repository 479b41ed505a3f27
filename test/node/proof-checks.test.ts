/** A validator's checks of storage proofs: real replicas of a small segment, in all three modes; what is said, signed, sent, and when. */
import { describe, expect, it } from 'vitest';
import { hash } from '../../native/index.ts';
import { packSignedMessages, sealFindings } from '../../src/codec/index.ts';
import { fakeOpening, fakeSamplesRoot, openingRestHash, pendingProofs, readFaults } from '../../src/ledger/index.ts';
import type { ProofCheckerDeps } from '../../src/node/proof-checks/proof-checker.ts';
import { storageJob } from '../../src/node/proof-checks/storage-job.ts';
import { type StorageProofJob, verifyMany } from '../../src/node/proof-checks/storage-proof-worker.ts';
import { startVerifyPool } from '../../src/node/threads/index.ts';
import type { ModuleJob } from '../../src/node/threads/verifier.ts';
import { kernels, type Signer, secretOf } from '../ledger/market-world.ts';
import { flipped, Scene, SEGMENT, SEGMENT_ROOT } from './proof-scene.ts';

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
    world.reach(9);
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
    const { 4: copied, ...others } = scene.rejections(1);
    expect(others).toEqual({ 1: 'replica-opening', 2: 'opening-length', 3: 'segment-opening' });
    expect(['opening-length', 'replica-opening']).toContain(copied);
  });
});

describe('a checker', () => {
  it('seals approvals and rejections alike, and opens them when nobody can seal any more', async () => {
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
    const entries = scene.entries();
    expect(checker.seal(1, entries)).toBeNull();
    await checker.look(scene.final);
    expect(scene.findings(1)).toEqual({ 0: 'valid', 1: 'valid', 2: 'samples-root' });
    expect(checker.counts).toEqual({ verified: 3, invalid: 1 });
    const wrong = entries.findIndex(({ identity }) => Buffer.compare(identity, world.replicators[2]!.address) === 0);
    const words = entries.map((_, n) => n !== wrong);
    const list = { period: 1, entries };
    expect(checker.seal(1, entries)).toEqual(
      sealFindings(kernels, world.chain.rules.chainId, list, words, world.seat(validator), validator.signing),
    );
    // What it has not checked it says nothing of; and nothing is sent while packets may bring it.
    expect(checker.seal(2, entries)).toBeNull();
    expect([scene.sent, checker.secret(1)]).toEqual([[], null]);
    world.reach(world.slot + 2);
    await checker.look(scene.final);
    expect(scene.sent.map(({ kind }) => kind)).toEqual(['validations']);
    world.done(scene.drafts.splice(0));
    // The final chain is not past the last slot for sealed findings: the secret is nobody's.
    expect([world.slot, checker.secret(1)]).toEqual([13, null]);
    await checker.look(scene.final);
    expect(scene.sent).toHaveLength(1);
    world.reach(14);
    await checker.look(scene.final);
    expect(checker.secret(1)).toEqual(world.secret(validator, 1));
    // It opens what it has rejected at once, with the reason, and leaves what it has approved to others.
    expect(scene.sent[1]).toEqual({
      kind: 'unseal',
      period: 1,
      secrets: [world.secret(validator, 1)],
      entries: [{ ...entries[wrong]!, reason: 'samples-root' }],
    });
    world.done(scene.drafts.splice(0));
    expect(world.word(validator, world.replicators[2]!)).toBe('invalid');
    expect(checker.counts.verified).toBe(3);
  });

  it('that was away opens what it has sealed, out of its key and the ledger alone', async () => {
    const scene = new Scene('stream', 1);
    const { world } = scene;
    await scene.ready();
    const [who] = world.replicators;
    const validator = world.validators[1]!;
    world.done([scene.draft(who!, 1, await scene.make(who!, 1))]);
    const before = scene.checker(validator);
    await before.look(scene.final);
    const voter = before.seal(1, scene.entries())!;
    const payload = { kind: 'validations' as const, period: 1, entries: scene.entries(), voters: [voter] };
    world.done([{ from: world.payer, payload, fee: 2n }]);
    // Another process, which has checked nothing. It is patient first: others may open it.
    world.untilOpen(1);
    world.reach(world.slot + 1);
    const after = scene.checker(validator, {
      segment: async () => {
        throw new RangeError('nothing is checked any more');
      },
    });
    await after.look(scene.final);
    expect(scene.sent).toEqual([]);
    world.reach(world.slot + 2);
    await after.look(scene.final);
    await after.look(scene.final);
    expect(scene.sent).toEqual([{ kind: 'unseal', period: 1, secrets: [world.secret(validator, 1)], entries: [] }]);
    world.done(scene.drafts.splice(0));
    expect(world.word(validator, who!)).toBe('valid');
    world.reach(world.slot + 4);
    await after.look(scene.final);
    expect(scene.sent).toHaveLength(1);
  });

  it('that copies seals an approval unseen, and keeps its secret where somebody rejected', async () => {
    for (const isFake of [false, true]) {
      const scene = new Scene('stream', 1);
      const { world } = scene;
      await scene.ready();
      const [who] = world.replicators;
      const [honest, , copying] = world.validators;
      const made = await scene.make(who!, 1);
      const samplesRoot = isFake ? hash(new Uint8Array(32)) : made.samplesRoot;
      world.done([scene.draft(who!, 1, { ...made, samplesRoot })]);
      const copier = scene.checker(copying!, { copies: kernels });
      await copier.look(scene.final);
      expect([scene.jobs.length, scene.findings(1)]).toEqual([0, { 0: 'valid' }]);
      const checker = scene.checker(honest!);
      await checker.look(scene.final);
      const voters = [checker, copier].map((each) => each.seal(1, scene.entries())!).sort((a, b) => a.seat - b.seat);
      const payload = { kind: 'validations' as const, period: 1, entries: scene.entries(), voters };
      world.done([{ from: world.payer, payload, fee: 3n }]);
      world.untilOpen(1);
      world.reach(world.slot + 1);
      await copier.look(scene.final);
      // Nobody's word has been shown yet.
      expect([copier.secret(1), scene.sent]).toEqual([null, []]);
      world.done([world.unseal(honest!, 1, [honest!], scene.entries(), 'samples-root')]);
      world.reach(world.slot + 2);
      await copier.look(scene.final);
      expect(copier.secret(1)).toEqual(isFake ? null : world.secret(copying!, 1));
      expect(scene.sent.map(({ kind }) => kind)).toEqual(isFake ? [] : ['unseal']);
    }
  });

  it('recomputes a committed root once, and only samples afterwards', async () => {
    const scene = new Scene('stream', 1);
    const { world } = scene;
    await scene.ready();
    const checker = scene.checker(world.validators[0]!);
    for (const period of [1, 2]) {
      world.reach(period * 8 + 1);
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
    // Findings on period 1 are sealed up to slot 13: from slot 12 on it is too late.
    world.reach(11);
    await checker.look(scene.final);
    expect(checker.counts.verified).toBe(1);
    world.reach(12);
    await checker.look(scene.final);
    expect(scene.findings(1)).toEqual({ 0: 'valid', 1: 'not-available' });
    // Openings that turn up afterwards change nothing that was said.
    scene.bodies.set(name, body);
    await checker.look(scene.final);
    expect(scene.findings(1)).toEqual({ 0: 'valid', 1: 'not-available' });
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
    expect(scene.rejections(1)).toEqual({ 1: 'samples-root', 2: 'replica-opening' });
    const without = scene.checker(world.validators[1]!, { segment: async () => undefined });
    await without.look(scene.final);
    expect(scene.rejections(1)).toEqual({ 2: 'replica-opening' });
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
      world.settle(1, scene.entries());
      world.reach(17);
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
      expect(scene.rejections(2)).toEqual({ 0: mode === 'stream' ? 'samples-root' : 'replica-opening' });
      // Everything that can be seen without following the openings to their root is as in the true proof.
      expect(fake.body).toHaveLength(made.body.length);
      const signed = honest.seal(2, scene.entries())!;
      const lazy = world.findings(world.validators[1]!, 2, scene.entries(), () => true);
      const voters = [signed, lazy].sort((a, b) => a.seat - b.seat);
      world.done([
        { from: who, payload: { kind: 'validations', period: 2, entries: scene.entries(), voters }, fee: 3n },
      ]);
      world.settle(2, scene.entries());
      const restHash = mode === 'stream' ? hash(new Uint8Array(32)) : openingRestHash(kernels, fake.body);
      world.done([world.reveal(who, 0, 2, secret, restHash)], 24);
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
      expect(scene.rejections(1)).toEqual({ 3: 'replica-opening' });
    } finally {
      await verifier.stop();
    }
  });
});
