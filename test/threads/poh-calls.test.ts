import { describe, expect, it } from 'vitest';
import { pohCount, slot } from '../../native/index.ts';
import { ThreadError } from '../../src/node/threads/index.ts';
import { PohCalls } from '../../src/node/threads/poh-calls.ts';
import type { PohNotice } from '../../src/node/threads/poh-messages.ts';
import { digestOf } from './recorder.ts';

const notice = (run: number, kind: PohNotice['kind'] = 'tick'): PohNotice => ({
  kind,
  run,
  slot: slot(1),
  count: pohCount(run),
  hash: digestOf(1),
});

describe('calls to a PoH generator', () => {
  it('hear only the present run, though the thread may still send the one before', async () => {
    const calls = new PohCalls();
    const heard: number[] = [];
    calls.onTick((_, count) => heard.push(count));
    calls.onSlotEnd((_, count) => heard.push(count));
    const runs: number[] = [];
    const begin = () => calls.point(true, (id) => runs.push(id));
    const first = begin();
    calls.receive(notice(runs[0]!));
    calls.endRun();
    calls.receive(notice(runs[0]!));
    const second = begin();
    calls.receive(notice(runs[0]!));
    calls.receive(notice(runs[0]!, 'slotEnd'));
    calls.receive(notice(runs[1]!, 'slotEnd'));
    expect(heard).toEqual(runs);
    await expect(first).rejects.toMatchObject({ code: 'stopped' });
    calls.receive({ kind: 'point', id: runs[0]!, count: pohCount(1), hash: digestOf(1) });
    calls.receive({ kind: 'point', id: runs[1]!, count: pohCount(7), hash: digestOf(2) });
    await expect(second).resolves.toEqual({ count: 7, hash: digestOf(2) });
    expect(calls.pendingCount).toBe(0);
  });

  it('fail for good with the first failure', async () => {
    const calls = new PohCalls();
    const pending = calls.mixin(() => {});
    calls.fail(new ThreadError('worker-failed', 'first'));
    calls.fail(new ThreadError('stopped', 'second'));
    await expect(pending).rejects.toMatchObject({ message: 'first' });
    await expect(calls.mixin(() => {})).rejects.toMatchObject({ message: 'first' });
  });
});
