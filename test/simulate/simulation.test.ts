/** The simulator over real nodes: one seed one run, every scenario without a violation, the canary caught, failures made smaller and replayable. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../native/worker-url.ts';
import { runCampaign } from '../../tools/simulate/campaign.ts';
import { CAMPAIGN, scenarioNamed } from '../../tools/simulate/scenarios.ts';
import { type SimulationResult, simulate } from '../../tools/simulate/simulation.ts';
import { renderView } from '../../tools/simulate/view.ts';

const root = packageRoot(import.meta.filename);
const run = (name: string, seed: number, onTrace?: (line: string) => void): Promise<SimulationResult> =>
  simulate({ seed, scenario: scenarioNamed(name)!, durationMs: 1, ...(onTrace === undefined ? {} : { onTrace }) });

/** The same run in another process, from the compiled program. */
async function digestElsewhere(name: string, seed: number): Promise<string> {
  const cli = join(root, 'dist/src/cli/main.js');
  const args = [cli, 'simulate', '--json', '--seed', String(seed), '--scenario', name, '--hours', '0.0001'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return (JSON.parse(stdout) as { last: { traceDigest: string } }).last.traceDigest;
}

describe('one seed, one run', { timeout: 300_000 }, () => {
  it('gives the same trace byte by byte, in this process and in another; another seed gives another', async () => {
    const [a, b]: [string[], string[]] = [[], []];
    const first = await run('storm', 11, (line) => a.push(line));
    const second = await run('storm', 11, (line) => b.push(line));
    expect(a).toEqual(b);
    expect(a.length).toBeGreaterThan(500);
    expect(second).toEqual(first);
    expect(await digestElsewhere('storm', 11)).toBe(first.traceDigest);
    expect((await run('storm', 12)).traceDigest).not.toBe(first.traceDigest);
  });
});

describe('scenarios', { timeout: 300_000 }, () => {
  it.each(CAMPAIGN.map(({ name }, at) => [name, at + 1] as const))('%s holds', async (name, seed) => {
    const result = await run(name, seed);
    expect(result.violation).toBeNull();
    expect(result.finalHeight).toBeGreaterThan(1);
    expect(result.forked).toBe(name === 'more-than-one-third' || name === 'exactly-one-third');
  });
});

describe('a large network', { timeout: 300_000 }, () => {
  it('holds for a short while; with a hundred validators: cairn simulate --scenario hundred', async () => {
    const scenario = { ...scenarioNamed('hundred')!, validators: 24, faultyMs: 2_000 };
    const { violation, finalHeight } = await simulate({ seed: 1, scenario, durationMs: 1 });
    expect(violation).toBeNull();
    expect(finalHeight).toBeGreaterThan(10);
  });
});

describe('a failure', { timeout: 300_000 }, () => {
  it('of the canary is found, always', async () => {
    for (let seed = 1; seed <= 3; seed += 1)
      expect((await run('canary', seed)).violation).toMatchObject({ code: 'conflicting-finality' });
  });

  it('is told with seed, scenario, height, the faults that matter, and the command that replays it', async () => {
    const canary = { ...scenarioNamed('canary')!, faults: { kinds: ['pause', 'clog'] as const, everyMs: 200 } };
    const { failure } = await runCampaign({ seed: 5, scenarios: [canary], totalMs: 60_000, runMs: 60_000 });
    expect(failure!.result.violation).toMatchObject({ code: 'conflicting-finality' });
    expect(failure!.minimized.result.violation).toMatchObject({ code: 'conflicting-finality' });
    expect(failure!.minimized.result.faults).toEqual([]);
    expect(failure!.command).toMatch(/^cairn simulate --seed 5 --scenario canary --hours \S+/);
  });

  it('can be looked at: one page with nothing to load', async () => {
    const lines: string[] = [];
    await run('canary', 1, (line) => lines.push(line));
    const page = renderView(lines, 'a <run>');
    expect(page).toContain('a &lt;run&gt;');
    for (const kind of ['lead', 'final', 'vote', 'violation']) expect(page).toContain(`class="${kind}"`);
    expect(page).not.toMatch(/<script|src=|href=/);
  });
});
