/** Mapped files: create, sync, reopen, refuse, close; on both twins. */
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MappedFileError } from '../../native/index.ts';
import { hex, seededBytes, VARIANTS } from './variants.ts';

const SIZE = 3 * 4096;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-mapped-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof MappedFileError) return error.code;
    throw error;
  }
  return 'no error';
}

describe.each(VARIANTS)('mapFile of $name', ({ kernels }) => {
  it('creates a zeroed, allocated file, syncs it and finds it again', () => {
    const path = join(directory, 'shard');
    const file = kernels.mapFile(path, SIZE, { create: true });
    expect(file.bytes).toHaveLength(SIZE);
    expect(file.bytes.every((byte) => byte === 0)).toBe(true);
    expect(statSync(path).size).toBe(SIZE);
    const content = seededBytes(1)(SIZE);
    file.bytes.set(content);
    file.sync();
    expect(hex(readFileSync(path))).toBe(hex(content));
    file.bytes[5000] = 7;
    file.sync();
    file.close();
    file.close();
    const again = kernels.mapFile(path, SIZE, { create: false });
    content[5000] = 7;
    expect(hex(again.bytes)).toBe(hex(content));
    again.close();
  });

  it('maps the front of a longer file and leaves its rest alone', () => {
    const path = join(directory, 'long');
    const content = seededBytes(2)(SIZE + 100);
    writeFileSync(path, content);
    const file = kernels.mapFile(path, 4096, { create: true });
    file.bytes.fill(1);
    file.sync();
    file.close();
    const stored = readFileSync(path);
    expect(hex(stored.subarray(0, 4096))).toBe('01'.repeat(4096));
    expect(hex(stored.subarray(4096))).toBe(hex(content.subarray(4096)));
  });

  it('grows a shorter file when creating, and keeps what it had', () => {
    const path = join(directory, 'short');
    writeFileSync(path, seededBytes(3)(10));
    const file = kernels.mapFile(path, SIZE, { create: true });
    expect(hex(file.bytes.subarray(0, 12))).toBe(`${hex(seededBytes(3)(10))}0000`);
    file.close();
  });

  it('refuses what it cannot have, with the system code', () => {
    const path = join(directory, 'none');
    expect(codeOf(() => kernels.mapFile(path, SIZE, { create: false }))).toBe('ENOENT');
    expect(codeOf(() => kernels.mapFile(join(directory, 'no', 'such'), SIZE, { create: true }))).toBe('ENOENT');
    expect(codeOf(() => kernels.mapFile(directory, SIZE, { create: false }))).toBe('EISDIR');
    expect(codeOf(() => kernels.mapFile(join(directory, 'x'.repeat(300)), SIZE, { create: true }))).toBe(
      'ENAMETOOLONG',
    );
    expect(codeOf(() => kernels.mapFile('y'.repeat(9000), SIZE, { create: true }))).toBe('ENAMETOOLONG');
    writeFileSync(path, 'too short');
    expect(codeOf(() => kernels.mapFile(path, SIZE, { create: false }))).toBe('EINVAL');
  });

  it('fails a sync after close', () => {
    const file = kernels.mapFile(join(directory, 'closed'), SIZE, { create: true });
    file.close();
    expect(codeOf(() => file.sync())).toBe('EBADF');
  });
});

describe.each(VARIANTS.filter(({ kernels }) => kernels.name === 'native').slice(0, 1))(
  'a mapping of $name',
  ({ kernels }) => {
    it('is seen by another mapping of the same file at once', () => {
      const path = join(directory, 'shared');
      const [first, second] = [true, false].map((create) => kernels.mapFile(path, SIZE, { create }));
      first!.bytes[77] = 9;
      expect(second!.bytes[77]).toBe(9);
      first!.close();
      second!.close();
    });

    it('leaves empty bytes behind when closed, and none of its views reach the memory', () => {
      const file = kernels.mapFile(join(directory, 'gone'), SIZE, { create: true });
      const view = file.bytes.subarray(4096);
      file.close();
      expect(file.bytes).toHaveLength(0);
      expect(view[0]).toBeUndefined();
      expect(() => kernels.sha256(view)).toThrow(TypeError);
    });

    it('cannot be transferred to another thread', () => {
      const file = kernels.mapFile(join(directory, 'mine'), SIZE, { create: true });
      const { port1 } = new MessageChannel();
      try {
        port1.postMessage(file.bytes.buffer, [file.bytes.buffer as ArrayBuffer]);
      } catch {
        // Newer runtimes throw, Node 20 keeps the buffer here: both are fine.
      }
      port1.close();
      expect(file.bytes).toHaveLength(SIZE);
      file.close();
    });

    it('allocates the blocks of a sparse file before mapping it', () => {
      const path = join(directory, 'sparse');
      writeFileSync(path, '');
      truncateSync(path, 1 << 20);
      kernels.mapFile(path, 1 << 20, { create: false }).close();
      expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(1 << 20);
    });
  },
);
