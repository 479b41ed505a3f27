import { describe, expect, it } from 'vitest';
import { DurableRecord } from '../../storage/durable-record.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';
import { seededRandom } from '../../storage/files/simulated-inode.ts';
import { kernels } from './kernels-fixture.ts';

const open = (disk: SimulatedDisk): Promise<DurableRecord> =>
  DurableRecord.open('/vote', { kernels, files: disk, valueSizeBytesMax: 1500 });
const numbered = (number: number): Uint8Array => new Uint8Array(1 + ((number * 131) % 1500)).fill(number);

describe('DurableRecord', () => {
  it('reads the last value written, in order, over a reopen, for one holder', async () => {
    const disk = new SimulatedDisk(1);
    let record = await open(disk);
    expect(record.read()).toBeUndefined();
    await expect(open(disk)).rejects.toMatchObject({ code: 'locked' });
    const value = numbered(1);
    const first = record.write(value);
    value.fill(0);
    await Promise.all([first, record.write(numbered(2)), record.write(numbered(3))]);
    expect(record.read()).toEqual(numbered(3));
    await expect(record.write(new Uint8Array(5000))).rejects.toMatchObject({ code: 'too-large' });
    await record.close();
    await record.close();
    await expect(record.write(numbered(4))).rejects.toMatchObject({ code: 'closed' });
    record = await open(disk);
    expect(record.read()).toEqual(numbered(3));
    await record.write(new Uint8Array(0));
    expect(record.read()).toEqual(new Uint8Array(0));
    await record.close();
  });

  it('never goes back behind an acknowledged value, whatever is cut or fails, opening included', async () => {
    for (let seed = 0; seed < 300; seed++) {
      const disk = new SimulatedDisk(seed);
      const random = seededRandom(seed);
      let acknowledged = 0;
      let attempted = 0;
      for (let life = 0; life < 4; life++) {
        disk.fault = { at: disk.operations + Math.floor(random() * 14), kind: random() < 0.6 ? 'cut' : 'io' };
        try {
          const record = await open(disk);
          for (let count = 0; count < 5; count++) {
            attempted += 1;
            await record.write(numbered(attempted));
            acknowledged = attempted;
          }
          await record.close();
        } catch {
          // A process may also simply be restarted, with the page cache and the names as they are.
        }
        if (disk.powered && random() < 0.7) disk.restartProcess();
        else disk.reboot();
        const record = await open(disk);
        const found = record.read()?.[0] ?? 0;
        expect(found).toBeGreaterThanOrEqual(acknowledged);
        expect(found).toBeLessThanOrEqual(attempted);
        acknowledged = found;
        attempted = found;
        await record.close();
      }
    }
  });

  it('keeps its name too, when the process that made the file died in the middle and the power goes later', async () => {
    // Both ways of losing it: the maker does not sync the folder, and the one after trusts a name that it finds.
    for (const kind of ['io', 'cut', undefined] as const)
      for (let seed = 0; seed < 15; seed++)
        for (let at = 0; at < 6; at++) {
          const disk = new SimulatedDisk(seed);
          if (kind !== undefined) disk.fault = { at, kind };
          await open(disk).then(
            (record) => record.close(),
            () => {},
          );
          if (disk.powered) disk.restartProcess();
          else disk.reboot();
          const record = await open(disk);
          await record.write(Uint8Array.of(7));
          disk.reboot();
          const again = await open(disk);
          expect(again.read(), `${kind} at ${at}, seed ${seed}`).toEqual(Uint8Array.of(7));
          await again.close();
        }
  });

  it('survives one bad sector anywhere, and says so when nothing can be trusted', async () => {
    const disk = new SimulatedDisk(1);
    const record = await open(disk);
    await record.write(numbered(1));
    await record.write(numbered(2));
    await record.close();
    const size = disk.image().get('/vote')!.length;
    expect(size).toBe(4 * 4096);
    for (let offset = 0; offset < size; offset += 256) {
      disk.corrupt('/vote', offset, 255);
      const again = await open(disk);
      expect(again.read()).toEqual(numbered(2));
      await again.close();
      disk.corrupt('/vote', offset, 255);
      const restored = await open(disk);
      await restored.close();
    }
    for (let offset = 0; offset < size; offset += 4096) disk.corrupt('/vote', offset, 255);
    await expect(open(disk)).rejects.toMatchObject({ code: 'corrupt' });
  });
});
