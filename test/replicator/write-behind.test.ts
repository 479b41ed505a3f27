/** Writing behind: what is synced while more is written, and what a failure there means. */
import { describe, expect, it } from 'vitest';
import { writeBehind } from '../../replicator/write-behind.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import type { StoredFile } from '../../storage/index.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A file that notes what is done to it, and whose syncs end when they are told to. */
async function watched(): Promise<{ file: StoredFile; events: string[]; ends: ((error?: Error) => void)[] }> {
  const events: string[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const inner = await new SimulatedDisk(1).open('/file', 'create');
  const file: StoredFile = {
    ...inner,
    write: async (offset, bytes) => {
      await inner.write(offset, bytes);
      events.push(`write ${offset}`);
    },
    sync: () =>
      new Promise((resolve, reject) => {
        events.push('sync');
        ends.push((error) => (error === undefined ? resolve() : reject(error)));
      }),
    close: async () => void events.push('close'),
  };
  return { file, events, ends };
}

describe('a file written behind', () => {
  it('is synced for every so many bytes, one sync at a time, and writes go on meanwhile', async () => {
    const { file, events, ends } = await watched();
    const behind = writeBehind(file, 200);
    for (let offset = 0; offset < 500; offset += 100) await behind.write(offset, new Uint8Array(100));
    expect(events).toEqual(['write 0', 'write 100', 'sync', 'write 200', 'write 300', 'write 400']);
    ends[0]!();
    await turn();
    await behind.write(500, new Uint8Array(100));
    expect(events.slice(6)).toEqual(['write 500', 'sync']);
  });

  it('waits at a sync and at closing for what is under way, and syncs again what came since', async () => {
    const { file, events, ends } = await watched();
    const behind = writeBehind(file, 100);
    await behind.write(0, new Uint8Array(100));
    let isSynced = false;
    const synced = behind.sync().then(() => {
      isSynced = true;
    });
    await turn();
    expect(events).toEqual(['write 0', 'sync']);
    ends[0]!();
    await turn();
    expect([events.length, isSynced]).toEqual([3, false]);
    ends[1]!();
    await synced;
    await behind.write(100, new Uint8Array(100));
    const closed = behind.close();
    await turn();
    expect(events.at(-1)).toBe('sync');
    ends[2]!();
    await closed;
    expect(events.at(-1)).toBe('close');
  });

  it('never says that it is durable once a sync in the background failed, and does not sync again', async () => {
    const { file, events, ends } = await watched();
    const behind = writeBehind(file, 100);
    await behind.write(0, new Uint8Array(100));
    ends[0]!(new RangeError('the disk is gone'));
    await turn();
    for (let i = 0; i < 2; i += 1) await expect(behind.sync()).rejects.toThrow('the disk is gone');
    await expect(behind.write(100, new Uint8Array(100))).rejects.toThrow('the disk is gone');
    expect(events).toEqual(['write 0', 'sync']);
  });
});
