/** The benchmark at its tiny size, so that it cannot rot: every case runs on both twins, with the limit, and they agree. No rate is judged. */
import { describe, expect, it } from 'vitest';
import { measure, median } from '../../tools/bench/measure.ts';
import { rateText, reportLines, setting } from '../../tools/bench/report.ts';
import { BenchError, CASES, runBench } from '../../tools/bench/run-bench.ts';

const NAMES = [
  'poh.generate',
  'poh.verify',
  'poh.verify.cores',
  'sha256.pairs',
  'aes-cbc.one',
  'aes-cbc.many',
  'aes-cbc.decrypt',
  'ed25519.verify',
  'sha512.batch',
  'table.lookup',
  'table.update',
  'oplog.append',
  'oplog.append.10k',
  'compaction',
  'accounts.lookup.1M',
  'accounts.update.1M',
  'state.open',
  'state.rebuild',
  'log.verify',
  'state.sync',
  'replica.encode',
  'replica.encode.2',
  'replica.encode.disk',
  'replica.encode.disk.2',
  'replica.decode',
  'replica.verifyStream.1',
  'replica.verifyStream.8',
  'replica.verifyStream.48',
  'proof.open.make',
  'proof.open.verify',
  'proof.vrf',
];

describe('the bench', () => {
  it('runs every case at its tiny size, with equal results from both twins', async () => {
    const seen: string[] = [];
    const run = await runBench({
      size: 'tiny',
      only: [],
      onCase: (done, total, name) => seen.push(`${done}/${total} ${name}`),
    });
    expect(run.results.map(({ name }) => name)).toEqual(NAMES);
    expect(seen).toHaveLength(NAMES.length + 1);
    for (const result of run.results) {
      expect(result.resultHash, result.name).toMatch(/^[0-9a-f]{64}$/);
      expect(result.portable, result.name).toBeGreaterThan(0);
      if (run.nativeMissing === null) expect(result.native, result.name).toBeGreaterThan(0);
      if (result.native !== null && result.limit !== null)
        expect(result.ofLimit).toBeCloseTo(result.native / result.limit, 6);
      for (const [peer, rate] of Object.entries(result.peers))
        expect(rate === null || rate > 0, `${result.name} ${peer}`).toBe(true);
    }
    const lines = reportLines(run, setting());
    for (const name of NAMES) expect(lines.some((line) => line.startsWith(name))).toBe(true);
    expect(lines.at(-1)).toContain(process.version);
  });

  it('gives the same results in every run, and runs only what was asked for', async () => {
    const runs = [await runBench({ size: 'tiny', only: ['aes'] }), await runBench({ size: 'tiny', only: ['aes'] })];
    for (const { results } of runs)
      expect(results.map(({ name }) => name)).toEqual(['aes-cbc.one', 'aes-cbc.many', 'aes-cbc.decrypt']);
    const hashes = runs.map(({ results }) => results.map(({ resultHash }) => resultHash));
    expect(hashes[0]).toEqual(hashes[1]);
    await expect(runBench({ size: 'tiny', only: ['rsa'] })).rejects.toThrow(BenchError);
  });

  it('has a case for each name promised, each saying what its limit is', () => {
    expect(CASES.filter(({ onRequest }) => onRequest !== true).map(({ name }) => name)).toEqual(NAMES);
    for (const { limitIs } of CASES) expect(limitIs.length).toBeGreaterThan(10);
  });
});

describe('measuring', () => {
  it('takes the contestants in turn and leaves out the first round', async () => {
    const calls: string[] = [];
    const work = (name: string) => ({ units: 10, call: () => void calls.push(name) });
    const rates = await measure(
      new Map([
        ['a', work('a')],
        ['b', work('b')],
      ]),
      { sampleMs: 0, rounds: 2, clock: 'wall' },
    );
    expect(calls).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    expect([...rates.keys()]).toEqual(['a', 'b']);
    const busy = { units: 1, call: () => void Math.sqrt(2) };
    const cpu = await measure(new Map([['busy', busy]]), { sampleMs: 1, rounds: 1, clock: 'cpu' });
    expect(cpu.get('busy')).toBeGreaterThan(0);
  });

  it('takes the middle one, and writes rates with three digits', () => {
    expect(median([5, 1, 100])).toBe(5);
    expect(median([1, 2, 3, 100])).toBe(2.5);
    expect([rateText(30_234_000), rateText(2.5e10), rateText(null), rateText(12)]).toEqual([
      '30.2 M',
      '25.0 G',
      '-',
      '12.0',
    ]);
  });
});
