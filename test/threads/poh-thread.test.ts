import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { slot } from '../../native/index.ts';
import { workerUrl } from '../../native/worker-url.ts';
import { type PohService, startPohThread, type ThreadError } from '../../src/node/threads/index.ts';
import { PENDING_CALLS_MAX } from '../../src/node/threads/poh-calls.ts';
import { digestOf, pace, Recorder, startAt } from './recorder.ts';

describe('the PoH thread', () => {
  let service: PohService | undefined;
  afterEach(async () => {
    delete process.env.CAIRN_KERNELS;
    await service?.stop();
  });

  it('measures itself', async () => {
    service = startPohThread({ ...pace, onFatal: () => {} });
    const recorder = new Recorder(service);
    await recorder.start(startAt(0, 1));
    await recorder.slotEnd(1);
    expect(service.rate().capacityPerSecond).toBeGreaterThan(50_000);
  });

  it('bounds the calls that wait', async () => {
    service = startPohThread({ ...pace, onFatal: () => {} });
    const calls = Array.from({ length: PENDING_CALLS_MAX + 1 }, (_, index) => service!.mixin(slot(1), digestOf(index)));
    const outcomes = await Promise.allSettled(calls);
    const codes = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.code);
    expect(codes.at(-1)).toBe('queue-full');
    expect(codes.slice(0, -1).every((code) => code === 'not-started')).toBe(true);
  });

  it('tells once when it has died, and rejects every call', async () => {
    process.env.CAIRN_KERNELS = 'no-such-kernels';
    const deaths: ThreadError[] = [];
    const died = new Promise<void>((resolve) => {
      service = startPohThread({
        ...pace,
        onFatal: (error) => {
          deaths.push(error);
          resolve();
        },
      });
    });
    const pending = service!.start(startAt(0, 1));
    await expect(pending).rejects.toMatchObject({ code: 'worker-failed' });
    await died;
    await expect(service!.mixin(slot(1), digestOf(1))).rejects.toMatchObject({ code: 'worker-failed' });
    await service!.stop();
    expect(deaths.map(({ message }) => message)).toEqual([expect.stringContaining('CAIRN_KERNELS')]);
  });

  it('keeps the process alive while a call waits, and not a moment longer', async () => {
    const threads = workerUrl(import.meta.url, '../../src/node/threads/index.ts').href;
    const script = `
      import { startPohThread, startVerifyPool } from '${threads}';
      const onFatal = (error) => { throw error; };
      const poh = startPohThread({ parameters: { hashesPerTick: 250, ticksPerSlot: 4 }, slotDurationMs: 20, onFatal });
      startVerifyPool({ threads: 1, onFatal });
      const hash = new Uint8Array(32);
      const point = await poh.start({ count: 0, hash, slot: 1, parentHash: hash });
      console.log(point.count);
    `;
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
    await expect(run).resolves.toMatchObject({ stdout: '1\n', stderr: '' });
  });
});
