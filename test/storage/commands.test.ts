/** `cairn inspect`, `verify log` and `rebuild` as a user meets them: real processes from dist (built by `npm test`) on a copy of the v1 fixture. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workerUrl } from '../../native/worker-url.ts';
import { StateStore } from '../../storage/state.ts';
import { kernels } from './kernels-fixture.ts';

const MAIN = fileURLToPath(workerUrl(import.meta.url, '../../src/cli/main.ts'));
const fixture = fileURLToPath(new URL('../fixtures/data-v1', import.meta.url));
const expected = JSON.parse(readFileSync(`${fixture}.json`, 'utf8')) as {
  accounts: object;
  bonds: object;
  chainId: string;
  segmentSizeBytes: number;
  retainHeights: number;
  roots: string[];
};
const last = expected.roots.length - 1;

let data = '';
beforeAll(() => {
  data = join(mkdtempSync(join(tmpdir(), 'cairn-look-')), 'data');
  cpSync(fixture, data, { recursive: true });
});
afterAll(() => rmSync(join(data, '..'), { recursive: true, force: true }));

function cairn(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: status, out: stdout, err: stderr };
}

describe.skipIf(!existsSync(MAIN))('storage commands (skipped when dist is not built: npm run build)', () => {
  it('show figures for people and as one line of JSON', () => {
    const log = cairn('inspect', 'log', '--data', data, '--json');
    expect([log.code, log.out.trimEnd().includes('\n')]).toEqual([0, false]);
    expect(JSON.parse(log.out)).toMatchObject({ height: last, clean: true, segmentSizeBytes: 4096, tornTail: null });
    expect(JSON.parse(log.out).segments.length).toBe(4);
    expect(cairn('inspect', 'log', '--data', data).out).toContain(`heights     122 to ${last}\n`);
    expect(JSON.parse(cairn('inspect', 'table', '--data', data, '--json').out)).toMatchObject({
      state: 'clean',
      entries: Object.keys(expected.accounts).length,
    });
    expect(JSON.parse(cairn('inspect', 'table', '--bonds', '--data', data, '--json').out)).toMatchObject({
      state: 'clean',
      entries: Object.keys(expected.bonds).length,
    });
    expect(cairn('inspect', 'table', '--data', data).out).toContain('shard-01-08');
    const history = cairn('inspect', 'history', '--data', data, '--roots', '--json');
    expect(JSON.parse(history.out)).toMatchObject({ blocks: 18, transactions: 18, rootsChecked: 3 });
    expect(cairn('inspect', 'history', '--data', data).out).toMatch(/blocks +13 to 30 \(18\)\n/);
    const rebuilt = cairn('rebuild', '--data', data, '--json');
    expect(JSON.parse(rebuilt.out)).toMatchObject({ height: last, accounts: Object.keys(expected.accounts).length });
  });

  it('verify log: 0 for a whole log, 1 with the first bad offset, 2 when it cannot be read', () => {
    const whole = cairn('verify', 'log', data, '--json');
    expect(whole.code).toBe(0);
    expect(JSON.parse(whole.out)).toMatchObject({ valid: true, height: last, segments: 4 });
    expect(cairn('verify', 'log', join(data, 'state', 'log')).out).toContain(`valid: heights 122 to ${last}, `);

    const path = join(data, 'state', 'log', 'segment-00000018');
    const bytes = readFileSync(path);
    const rotten = Buffer.from(bytes);
    rotten[1000]! ^= 1;
    writeFileSync(path, rotten);
    const damaged = cairn('verify', 'log', data);
    expect(damaged.code).toBe(1);
    expect(damaged.err).toMatch(/invalid: .*segment-00000018, offset \d+: expected checksum \d+ .*, found \d+/);
    expect(JSON.parse(cairn('verify', 'log', data, '--json').out)).toMatchObject({
      valid: false,
      path,
      acknowledged: true,
    });
    expect(cairn('rebuild', '--data', data)).toMatchObject({ code: 1, out: '' });
    writeFileSync(path, bytes);

    expect(cairn('verify', 'log', join(data, 'absent'))).toMatchObject({ code: 2, out: '' });
    expect(cairn('verify', 'log')).toMatchObject({ code: 2 });
    for (const part of ['log', 'table', 'history']) {
      const { code, err } = cairn('inspect', part, '--data', join(data, 'absent'));
      expect([part, code]).toEqual([part, 2]);
      expect(err).toMatch(/cannot read .*absent.*: no (op log|history) here/);
    }
    expect(existsSync(join(data, 'absent'))).toBe(false);
    expect(cairn('verify', 'log', data).code).toBe(0);
  });

  it('refuse while a node has the directory open', async () => {
    const store = await StateStore.open({
      directory: join(data, 'state'),
      kernels,
      chainId: new Uint8Array(Buffer.from(expected.chainId, 'hex')),
      segmentSizeBytes: expected.segmentSizeBytes,
      retainHeights: expected.retainHeights,
    });
    for (const args of [
      ['verify', 'log', data],
      ['inspect', 'log', '--data', data],
      ['inspect', 'table', '--data', data],
      ['rebuild', '--data', data],
    ]) {
      const { code, err } = cairn(...args);
      expect([args, code]).toEqual([args, 2]);
      expect(err).toContain(`in use by process ${process.pid}`);
    }
    await store.close();
    expect(cairn('verify', 'log', data).code).toBe(0);
  });
});
