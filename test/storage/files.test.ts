import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diskFiles } from '../../storage/files/disk-files.ts';
import { type Files, FilesError, readWhole, writeWhole } from '../../storage/files/files.ts';
import { SimulatedDisk } from '../../storage/files/simulated-disk.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const code = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: unknown) => (error instanceof FilesError ? error.code : String(error)),
  );

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-files-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const adapters: [name: string, make: () => { files: Files; root: string }][] = [
  ['disk', () => ({ files: diskFiles(), root: folder })],
  ['simulated', () => ({ files: new SimulatedDisk(1), root: '' })],
];

describe.each(adapters)('Files contract: %s', (_name, make) => {
  let made = 0;
  const fresh = async (): Promise<{ files: Files; root: string }> => {
    const { files, root } = make();
    const own = `${root}/contract-${made++}`;
    await files.makeDirectory(`${own}/a/b`);
    return { files, root: own };
  };

  it('reads back what was written, with zeros in holes and short reads at the end', async () => {
    const { files, root } = await fresh();
    const file = await files.open(`${root}/x`, 'create');
    await file.write(1000, text('hello'));
    await file.write(1003, text('LO'));
    expect(await file.sizeBytes()).toBe(1005);
    const bytes = new Uint8Array(20).fill(7);
    expect(await file.read(995, bytes)).toBe(10);
    expect(Buffer.from(bytes.subarray(0, 10)).toString('latin1')).toBe('\0\0\0\0\0helLO');
    expect(await file.read(2000, bytes)).toBe(0);
    const again = new Uint8Array(20).fill(7);
    expect(file.readSync(995, again)).toBe(10);
    expect(again).toEqual(bytes);
    expect(file.readSync(2000, again)).toBe(0);
    await file.truncate(1002);
    await file.truncate(1006);
    expect(await file.read(1000, bytes)).toBe(6);
    expect([...bytes.subarray(0, 6)]).toEqual([104, 101, 0, 0, 0, 0]);
    await file.sync();
    await file.close();
    await file.close();
    expect(await code(file.read(0, bytes))).not.toBe('ok');
    expect(() => file.readSync(0, bytes)).toThrow(FilesError);
  });

  it('refuses wrong modes with the same codes', async () => {
    const { files, root } = await fresh();
    expect(await code(files.open(`${root}/x`, 'read'))).toBe('not-found');
    expect(await code(files.open(`${root}/x`, 'write'))).toBe('not-found');
    expect(await code(files.open(`${root}/none/x`, 'create'))).toBe('not-found');
    await (await files.open(`${root}/x`, 'create')).close();
    expect(await code(files.open(`${root}/x`, 'create'))).toBe('exists');
    const reader = await files.open(`${root}/x`, 'read');
    expect(await code(reader.write(0, text('a')))).not.toBe('ok');
    await reader.close();
    expect(await code(files.list(`${root}/none`))).toBe('not-found');
    expect(await code(files.rename(`${root}/none`, `${root}/y`))).toBe('not-found');
  });

  it('lists, renames and removes files and folders', async () => {
    const { files, root } = await fresh();
    await writeWhole(files, `${root}/a/two`, text('2'));
    await writeWhole(files, `${root}/a/one`, text('1'));
    await writeWhole(files, `${root}/a/one`, text('one'));
    expect(await files.list(`${root}/a`)).toEqual(['b', 'one', 'two']);
    expect(await readWhole(files, `${root}/a/one`, 10)).toEqual(text('one'));
    expect(await code(readWhole(files, `${root}/a/one`, 2))).toBe('io');
    await files.rename(`${root}/a/one`, `${root}/a/two`);
    expect(await readWhole(files, `${root}/a/two`, 10)).toEqual(text('one'));
    await files.rename(`${root}/a`, `${root}/moved`);
    expect(await files.exists(`${root}/a`)).toBe(false);
    expect(await readWhole(files, `${root}/moved/two`, 10)).toEqual(text('one'));
    await files.makeDirectory(`${root}/full/x`);
    expect(await code(files.rename(`${root}/moved`, `${root}/full`))).toBe('not-empty');
    await files.remove(`${root}/full/x`);
    await files.rename(`${root}/moved`, `${root}/full`);
    expect(await files.list(`${root}/full`)).toEqual(['b', 'two']);
    await files.remove(`${root}/full`);
    await files.remove(`${root}/full`);
    expect(await files.list(root)).toEqual([]);
    await files.syncDirectory(root);
  });

  it('locks a path once, and again after release', async () => {
    const { files, root } = await fresh();
    const lock = await files.lock(`${root}/lock`);
    expect(await code(files.lock(`${root}/lock`))).toBe('locked');
    await lock.release();
    await lock.release();
    await (await files.lock(`${root}/lock`)).release();
  });
});

describe('lock file on the real disk', () => {
  it('is taken over from a dead process, a reused process id and a torn file, never from a living one', async () => {
    const files = diskFiles();
    const path = join(folder, 'lock');
    const lock = await files.lock(path);
    const { stdout } = await promisify(execFile)('cat', [path]);
    const [pid, start, boot] = stdout.trim().split(' ');
    expect(Number(pid)).toBe(process.pid);
    await lock.release();
    for (const stale of [`999999999 1 ${boot}`, `${pid} 1 ${boot}`, `${pid} ${start} another-boot`, '', 'rubbish'])
      await writeFile(path, stale).then(async () => (await files.lock(path)).release());
    // A process that was killed while it took over has left both files.
    for (const taker of [`999999999 1 ${boot}`, '', `${pid} ${start} another-boot`]) {
      await writeFile(path, `999999999 1 ${boot}`);
      await writeFile(`${path}.takeover`, taker);
      await (await files.lock(path)).release();
    }
    // One that is alive is in the middle of it.
    await writeFile(path, `999999999 1 ${boot}`);
    await writeFile(`${path}.takeover`, `${pid} ${start} ${boot}`);
    expect(await code(files.lock(path))).toBe('locked');
    await rm(`${path}.takeover`);
    await (await files.lock(path)).release();
    expect((await files.list(folder)).filter((name) => name.startsWith('lock'))).toEqual([]);
    const child = execFile('sleep', ['30']);
    const childStart = (await promisify(execFile)('cat', [`/proc/${child.pid}/stat`])).stdout
      .split(') ')[1]!
      .split(' ')[19];
    await writeFile(path, `${child.pid} ${childStart} ${boot}`);
    await expect(files.lock(path)).rejects.toThrow(`in use by process ${child.pid}`);
    child.kill();
    await new Promise((resolve) => child.once('exit', resolve));
    await (await files.lock(path)).release();
  });
});

describe('the simulated disk', () => {
  const readBack = async (disk: SimulatedDisk, path: string): Promise<string> =>
    (await disk.exists(path)) ? Buffer.from(await readWhole(disk, path, 10_000)).toString('latin1') : 'absent';

  it('keeps what was synced, in name and contents, whatever happens', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const disk = new SimulatedDisk(seed);
      await disk.makeDirectory('/d');
      await disk.syncDirectory('/');
      await writeWhole(disk, '/d/kept', text('kept'));
      disk.reboot();
      expect(await readBack(disk, '/d/kept')).toBe('kept');
    }
  });

  it('loses, keeps and tears what was not synced, by sectors, and forgets names', async () => {
    const seen = { names: new Set<boolean>(), sizes: new Set<number>(), sectors: new Set<string>() };
    for (let seed = 0; seed < 200; seed++) {
      const disk = new SimulatedDisk(seed);
      await writeWhole(disk, '/f', new Uint8Array(1024).fill(97));
      const file = await disk.open('/f', 'write');
      await file.write(0, new Uint8Array(2048).fill(98));
      await (await disk.open('/new', 'create')).sync();
      disk.reboot();
      seen.names.add(await disk.exists('/new'));
      const bytes = await readWhole(disk, '/f', 10_000);
      seen.sizes.add(bytes.length);
      for (const at of [0, 512]) expect(new Set(bytes.subarray(at, at + 512)).size).toBe(1);
      seen.sectors.add(String.fromCharCode(bytes[0]!, bytes[512]!));
    }
    expect(seen.names).toEqual(new Set([true, false]));
    expect(seen.sizes).toEqual(new Set([1024, 2048]));
    expect(seen.sectors).toEqual(new Set(['aa', 'ab', 'ba', 'bb']));
  });

  it('after a failed sync shows the new bytes, syncs again without complaint, and may still lose them', async () => {
    const after = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const disk = new SimulatedDisk(seed);
      await writeWhole(disk, '/f', text('old'));
      const file = await disk.open('/f', 'write');
      await file.write(0, text('new'));
      disk.fault = { at: disk.operations, kind: 'io' };
      await expect(file.sync()).rejects.toThrow('EIO');
      await file.sync();
      expect(await readBack(disk, '/f')).toBe('new');
      disk.reboot();
      after.add(await readBack(disk, '/f'));
    }
    expect(after).toEqual(new Set(['old', 'new']));
  });

  it('fails operations as planned', async () => {
    const disk = new SimulatedDisk(7);
    const file = await disk.open('/f', 'create');
    disk.capacityBytes = 100;
    expect(await code(file.write(0, new Uint8Array(101)))).toBe('no-space');
    disk.fault = { at: disk.operations, kind: 'cut' };
    expect(await code(file.write(0, text('x')))).toBe('power-cut');
    expect(await code(file.write(0, text('x')))).toBe('power-cut');
    expect(await code(disk.open('/g', 'create'))).toBe('power-cut');
  });
});

describe('a simulated rename', () => {
  it('names the file that was renamed, whatever of the changes before it has landed', async () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const disk = new SimulatedDisk(seed);
      await disk.makeDirectory('/data');
      await disk.syncDirectory('/');
      // An attempt that the power ends: what stands beside is anything, and may have a name.
      await disk.open('/data/x.new', 'create').then((file) => file.write(0, text('torn')));
      disk.reboot();
      disk.fault = { at: disk.operations + 5, kind: 'cut' };
      await writeWhole(disk, '/data/x', text('whole')).catch(() => {});
      disk.reboot();
      if (await disk.exists('/data/x')) expect(await readWhole(disk, '/data/x', 100)).toEqual(text('whole'));
    }
  });
});
