import { setImmediate as nextRound } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { hash, slot } from '../../native/index.ts';
import { InlinePoh, type PohService, startPohThread } from '../../src/node/threads/index.ts';
import { hashOf, kernels } from '../codec/fixtures.ts';
import { blockHashOf, digestOf, pace, perSlot, Recorder, startAt } from './recorder.ts';

const fatal = (error: Error): never => {
  throw error;
};

/** An inline service that a loop drives until it is stopped, under a clock that moves only when nothing is due. */
function drivenInline(): PohService {
  let nowMs = 0;
  const service = new InlinePoh(kernels, pace, () => nowMs);
  let isStopped = false;
  const drive = async () => {
    while (!isStopped) {
      const idleMs = service.turn();
      nowMs += Number.isFinite(idleMs) ? idleMs : 0.1;
      await nextRound();
    }
  };
  void drive();
  const stop = service.stop.bind(service);
  service.stop = () => {
    isStopped = true;
    return stop();
  };
  return service;
}

const adapters = [
  ['on its own thread', () => startPohThread({ ...pace, onFatal: fatal })],
  ['inline', drivenInline],
] as const;

describe.each(adapters)('PoH service %s', (_, make) => {
  let service: PohService;
  const open = (): [PohService, Recorder] => {
    service = make();
    return [service, new Recorder(service)];
  };
  afterEach(() => service.stop());

  it('leads three slots whose entries make valid blocks', async () => {
    const [, recorder] = open();
    await recorder.start(startAt(0, 1));
    for (const slotNumber of [1, 2, 3]) {
      if (slotNumber > 1) await recorder.openSlot(slotNumber);
      for (let index = 0; index < 5; index++) await recorder.mixin(slotNumber, digestOf(slotNumber * 10 + index));
      await recorder.slotEnd(slotNumber);
    }
    expect(recorder.isInOrder).toBe(true);
    expect(recorder.entries.length).toBe(3 * (1 + 4 + 5));
    expect(recorder.fault(0, 1, hashOf(50))).toBeUndefined();
    expect(recorder.fault(1, 2, recorder.hashAt(1))).toBeUndefined();
    expect(recorder.fault(2, 3, recorder.hashAt(2))).toBeUndefined();
  });

  it('answers a flood of mixins in order, across ticks and the slot end', async () => {
    const [, recorder] = open();
    await recorder.start(startAt(0, 1));
    const flood = Array.from({ length: 1_200 }, (_, index) => recorder.mixin(1, digestOf(index)));
    const taken = await Promise.all(flood);
    await recorder.slotEnd(1);
    // A slot of 1000 steps has room for 995: all but the parent entry and four ticks. What was refused came last.
    const count = taken.indexOf(false);
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(perSlot - 5);
    expect(taken.slice(count).some(Boolean)).toBe(false);
    expect(recorder.entries.length).toBe(count + 5);
    expect(recorder.isInOrder).toBe(true);
    expect(recorder.fault(0, 1, hashOf(50))).toBeUndefined();
  });

  it('refuses late mixins with null, early ones and wrong slots with the reason', async () => {
    const [, recorder] = open();
    await recorder.start(startAt(0, 1));
    await expect(service.mixin(slot(2), digestOf(1))).rejects.toMatchObject({ code: 'slot-not-open' });
    await expect(service.openSlot(slot(2), blockHashOf(1))).rejects.toMatchObject({ code: 'slot-order' });
    await recorder.slotEnd(1);
    await expect(service.mixin(slot(1), digestOf(1))).resolves.toBeNull();
    await expect(service.mixin(slot(2), digestOf(1))).rejects.toMatchObject({ code: 'slot-not-open' });
    await expect(service.openSlot(slot(3), blockHashOf(1))).rejects.toMatchObject({ code: 'slot-order' });
    await recorder.openSlot(2);
    expect(await recorder.mixin(2, digestOf(2))).toBe(true);
    expect(await recorder.mixin(1, digestOf(3))).toBe(false);
    expect(recorder.isInOrder).toBe(true);
  });

  it('waits for openSlot before the first tick of the next slot', async () => {
    const [, recorder] = open();
    await recorder.start(startAt(0, 1));
    await recorder.slotEnd(1);
    await new Promise((resolve) => setTimeout(resolve, pace.slotDurationMs));
    expect(recorder.entries.length).toBe(5);
    await recorder.openSlot(2);
    await recorder.slotEnd(2);
    expect(recorder.fault(1, 2, recorder.hashAt(1))).toBeUndefined();
  });

  it('takes over after skipped slots, whose ticks are all there', async () => {
    const [, recorder] = open();
    await recorder.start(startAt(2, 40));
    expect(await recorder.mixin(40, digestOf(1))).toBe(true);
    await recorder.slotEnd(40);
    expect(recorder.ended).toEqual([40]);
    expect(recorder.entries.filter(({ kind }) => kind === 'tick').length).toBe(38 * 4);
    expect(recorder.fault(2, 40, hashOf(50))).toBeUndefined();
    expect(recorder.isInOrder).toBe(true);
  });

  it('starts again elsewhere: the run before is over and unheard', async () => {
    const [, recorder] = open();
    await recorder.start(startAt(0, 1));
    const late = service.mixin(slot(1), digestOf(9));
    const opening = service.openSlot(slot(2), blockHashOf(1));
    const restarted = recorder.start(startAt(5, 6));
    await expect(late).resolves.toBeNull();
    await expect(opening).rejects.toMatchObject({ code: 'stopped' });
    await restarted;
    await recorder.slotEnd(6);
    expect(recorder.ended).toEqual([6]);
    expect(recorder.entries.filter(({ count }) => count > 1 && count < 5 * perSlot)).toEqual([]);
    expect(recorder.fault(5, 6, hashOf(50))).toBeUndefined();
  });

  it('refuses a start that contradicts itself, and calls before a start', async () => {
    open();
    await expect(service.mixin(slot(1), digestOf(1))).rejects.toMatchObject({ code: 'not-started' });
    await expect(service.openSlot(slot(1), digestOf(1))).rejects.toMatchObject({ code: 'not-started' });
    await expect(service.start(startAt(3, 3))).rejects.toMatchObject({ code: 'start-invalid' });
    await expect(service.start({ ...startAt(0, 1), count: 7 as never })).rejects.toMatchObject({
      code: 'start-invalid',
    });
  });

  it('removes listeners', async () => {
    const [, recorder] = open();
    let heard = 0;
    const remove = service.onTick(() => {
      heard += 1;
      remove();
    });
    await recorder.start(startAt(0, 1));
    await recorder.slotEnd(1);
    expect(heard).toBe(1);
  });

  it('rejects what waits when stopped, and every call after', async () => {
    const [, recorder] = open();
    await recorder.start(startAt(0, 1));
    const pending = service.mixin(slot(1), hash(new Uint8Array(32)));
    const outcome = expect(pending).rejects.toMatchObject({ code: 'stopped' });
    await service.stop();
    await outcome;
    await expect(service.mixin(slot(1), digestOf(1))).rejects.toMatchObject({ code: 'stopped' });
    await expect(service.start(startAt(0, 1))).rejects.toMatchObject({ code: 'stopped' });
    await service.stop();
  });
});
