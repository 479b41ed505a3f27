import { afterEach, describe, expect, it } from 'vitest';
import { hash, pohCount } from '../../native/index.ts';
import { packTransactionsForVerify, type SignatureBatch } from '../../src/codec/index.ts';
import { InlineVerifier, startVerifyPool, type ThreadError, type Verifier } from '../../src/node/threads/index.ts';
import { JOBS_WAITING_MAX } from '../../src/node/threads/verify-pool.ts';
import { type PohBatch, PohGenerator, packPoh } from '../../src/poh/index.ts';
import { hashOf, kernels, payloads, transactionOf } from '../codec/fixtures.ts';

/** A module for `run`, without a file. */
const jobs = new URL(
  `data:text/javascript,${encodeURIComponent(`
    export const digest = (kernels, bytes) => kernels.sha256(bytes);
    export const slowly = (kernels, ms) => new Promise((resolve) => setTimeout(() => resolve(ms), ms));
    export const fails = () => { throw new RangeError('no such segment'); };
    export const dies = () => process.exit(3);
  `)}`,
);

const parameters = { hashesPerTick: 10_000, ticksPerSlot: 4 };
const start = { count: pohCount(0), hash: hash(hashOf(1)) };

/** 12 ticks of 10,000 steps, enough for six parts. */
const ticks = (() => {
  const generator = new PohGenerator(kernels, parameters, start);
  return Array.from({ length: 12 }, () => ({ kind: 'tick' as const, ...generator.advance(10_000)! }));
})();

function pohBatch(wrongAt?: number): PohBatch {
  const batch = packPoh(start, ticks, new Uint8Array(ticks.length * 32));
  if (wrongAt !== undefined) batch.hashes[(wrongAt + 1) * 32]! ^= 1;
  return batch;
}

const transactions = Array.from({ length: 100 }, (_, index) => transactionOf(payloads[index % 6]!, BigInt(index)));
function signatures(wrongAt: readonly number[] = []): SignatureBatch {
  const batch = packTransactionsForVerify(transactions);
  for (const index of wrongAt) batch.signatures[index * 64 + 3]! ^= 1;
  return batch;
}

const onFatal = (error: Error): never => {
  throw error;
};
const adapters = [
  ['inline', () => new InlineVerifier(kernels)],
  ['on one thread', () => startVerifyPool({ threads: 1, onFatal })],
  ['on three threads', () => startVerifyPool({ threads: 3, onFatal })],
] as const;

describe.each(adapters)('verifier %s', (_, make) => {
  let verifier: Verifier;
  const open = (): Verifier => {
    verifier = make();
    return verifier;
  };
  afterEach(() => verifier.stop());

  it('checks PoH and finds the first wrong stretch', async () => {
    open();
    await expect(verifier.pohVerify(pohBatch())).resolves.toBe(-1);
    const wrong = [0, 5, 11].map((index) => verifier.pohVerify(pohBatch(index)));
    await expect(Promise.all(wrong)).resolves.toEqual([0, 5, 11]);
    const two = pohBatch(4);
    two.hashes[10 * 32]! ^= 1;
    await expect(verifier.pohVerify(two)).resolves.toBe(4);
    const none = { hashes: new Uint8Array(32), steps: new Uint32Array(0) };
    await expect(verifier.pohVerify({ ...none, hasMixin: new Uint8Array(0), mixins: new Uint8Array(0) })).resolves.toBe(
      -1,
    );
  });

  it('checks signatures, each with its verdict', async () => {
    open();
    const wrongAt = [0, 33, 66, 67, 99];
    const verdicts = await verifier.ed25519Verify(signatures(wrongAt));
    expect([...verdicts].flatMap((verdict, index) => (verdict === 0 ? [index] : []))).toEqual(wrongAt);
    expect(verdicts.length).toBe(100);
    await expect(verifier.ed25519Verify(packTransactionsForVerify([]))).resolves.toEqual(new Uint8Array(0));
    await expect(verifier.ed25519Verify(packTransactionsForVerify(transactions.slice(0, 1)))).resolves.toEqual(
      Uint8Array.of(1),
    );
  });

  it('runs a function of a module', async () => {
    open();
    const bytes = hashOf(9).slice();
    const job = { moduleUrl: jobs, functionName: 'digest', argument: bytes, transfer: [bytes.buffer] };
    await expect(verifier.run(job)).resolves.toEqual(kernels.sha256(hashOf(9)));
  });

  it('rejects a job that fails, and goes on', async () => {
    open();
    const run = (functionName: string) => verifier.run({ moduleUrl: jobs, functionName, argument: undefined });
    await expect(run('fails')).rejects.toMatchObject({ code: 'job-failed', message: 'no such segment' });
    await expect(run('missing')).rejects.toMatchObject({ code: 'job-failed' });
    const malformed = { ...signatures(), publicKeys: new Uint8Array(31) };
    await expect(verifier.ed25519Verify(malformed)).rejects.toMatchObject({ code: 'job-failed' });
    await expect(verifier.pohVerify(pohBatch())).resolves.toBe(-1);
  });

  it('rejects every call after stop', async () => {
    open();
    await verifier.stop();
    await expect(verifier.pohVerify(pohBatch())).rejects.toMatchObject({ code: 'stopped' });
    await verifier.stop();
  });
});

describe('the pool', () => {
  let pool: Verifier;
  afterEach(() => pool.stop());

  it('takes arrays away, but copies a view of something larger', async () => {
    pool = startVerifyPool({ threads: 1, onFatal });
    const whole = pohBatch();
    const larger = new Uint8Array(whole.mixins.length + 100);
    const batch = { ...whole, mixins: larger.subarray(50, 50 + whole.mixins.length) };
    await expect(pool.pohVerify(batch)).resolves.toBe(-1);
    expect(whole.hashes.length).toBe(0);
    expect(larger.length).toBe(whole.mixins.length + 100);
  });

  it('does built-in jobs before module jobs that wait', async () => {
    pool = startVerifyPool({ threads: 1, onFatal });
    const done: string[] = [];
    const slowly = (name: string) =>
      pool.run({ moduleUrl: jobs, functionName: 'slowly', argument: 5 }).then(() => done.push(name));
    await Promise.all([slowly('first'), slowly('second'), pool.pohVerify(pohBatch()).then(() => done.push('poh'))]);
    expect(done).toEqual(['first', 'poh', 'second']);
  });

  it('bounds what waits, and rejects it all when stopped', async () => {
    pool = startVerifyPool({ threads: 1, onFatal });
    const call = () => pool.run({ moduleUrl: jobs, functionName: 'slowly', argument: 1_000 });
    const calls = Array.from({ length: JOBS_WAITING_MAX + 2 }, call);
    const settled = Promise.allSettled(calls);
    await pool.stop();
    const codes = (await settled).map((outcome) => outcome.status === 'rejected' && outcome.reason.code);
    expect(codes.filter((code) => code === 'queue-full').length).toBe(1);
    expect(codes.filter((code) => code === 'stopped').length).toBe(JOBS_WAITING_MAX + 1);
  });

  it('tells once when a thread has died, and rejects every call', async () => {
    const deaths: ThreadError[] = [];
    pool = startVerifyPool({ threads: 2, onFatal: (error) => deaths.push(error) });
    const dies = pool.run({ moduleUrl: jobs, functionName: 'dies', argument: undefined });
    await expect(dies).rejects.toMatchObject({ code: 'worker-failed' });
    await expect(pool.pohVerify(pohBatch())).rejects.toMatchObject({ code: 'worker-failed' });
    await pool.stop();
    expect(deaths.length).toBe(1);
  });

  it('refuses a number of threads out of range', async () => {
    pool = startVerifyPool({ threads: 1, onFatal });
    expect(() => startVerifyPool({ threads: 0, onFatal })).toThrow(RangeError);
  });
});
