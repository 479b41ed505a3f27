/** Which twin runs: settings, refusals, self-tests, and the install script's one line. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KernelLoadError, loadKernels } from '../../native/index.ts';
import { chooseKernels, kernelSettings } from '../../native/load.ts';
import { chooseEd25519 } from '../../native/portable/choose.ts';
import { portableRaw } from '../../native/portable/index.ts';
import type { RawKernels } from '../../native/raw-kernels.ts';
import { failedSelfTest } from '../../native/self-test.ts';
import { packageRoot } from '../../native/worker-url.ts';

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof KernelLoadError) return error.code;
    throw error;
  }
  return 'no error';
}

describe('settings', () => {
  it('default to the best that works, and take known values', () => {
    expect(kernelSettings({})).toEqual({ kernels: 'auto', ed25519: undefined, without: [] });
    const environment = { CAIRN_KERNELS: 'portable', CAIRN_ED25519: 'noble', CAIRN_CPU_WITHOUT: 'sha,vaes' };
    expect(kernelSettings(environment)).toEqual({ kernels: 'portable', ed25519: 'noble', without: ['sha', 'vaes'] });
  });

  it('refuse unknown values and name the variable', () => {
    expect(codeOf(() => kernelSettings({ CAIRN_KERNELS: 'fast' }))).toBe('BAD_SETTING');
    expect(codeOf(() => kernelSettings({ CAIRN_ED25519: 'openssl' }))).toBe('BAD_SETTING');
    expect(codeOf(() => kernelSettings({ CAIRN_CPU_WITHOUT: 'mmx' }))).toBe('BAD_SETTING');
    expect(() => kernelSettings({ CAIRN_KERNELS: 'fast' })).toThrow(/CAIRN_KERNELS.*fast.*portable, native, auto/);
  });
});

describe('loadKernels', () => {
  it('gives one object a thread, and says why it runs', () => {
    const kernels = loadKernels();
    expect(loadKernels()).toBe(kernels);
    expect(kernels.paths[0]).toMatchObject({ kernel: 'twin', path: kernels.name });
    for (const { kernel, path, reason } of kernels.paths) {
      expect(kernel).not.toBe('');
      expect(path).not.toBe('');
      expect(reason.length).toBeGreaterThan(5);
    }
  });

  it('takes the portable twin when told to', () => {
    const kernels = chooseKernels({ kernels: 'portable', ed25519: 'noble', without: [] });
    expect(kernels.name).toBe('portable');
    expect(kernels.paths.find(({ kernel }) => kernel === 'ed25519')?.path).toBe('noble');
    expect(kernels.paths[0]?.reason).toContain('CAIRN_KERNELS=portable');
  });

  it('takes each Ed25519 backend only when forced or first', () => {
    expect(chooseEd25519('node')).toMatchObject({
      backend: { path: 'node:crypto' },
      reason: 'forced by CAIRN_ED25519=node',
    });
    expect(['sodium-native', 'node:crypto']).toContain(chooseEd25519().backend.path);
  });
});

/** A twin in which one kernel gives one wrong bit. */
function broken(name: keyof RawKernels): RawKernels {
  const { raw } = portableRaw();
  const original = raw[name] as (...values: unknown[]) => unknown;
  const spoil = (...values: unknown[]): unknown => {
    const result = original(...values);
    if (typeof result === 'number') return result ^ 1;
    if (typeof result === 'boolean') return !result;
    const output = result instanceof Uint8Array ? result : values.findLast((value) => ArrayBuffer.isView(value));
    if (output !== undefined)
      new Uint8Array((output as Uint8Array).buffer as ArrayBuffer, (output as Uint8Array).byteOffset)[0]! ^= 1;
    return result;
  };
  return { ...raw, [name]: name === 'sha256Chain' ? (state: Uint8Array) => state.fill(1) : spoil };
}

describe('the self-test', () => {
  it('passes a right twin', () => {
    expect(failedSelfTest(portableRaw().raw, portableRaw().raw)).toBeNull();
  });

  it.each([
    ['sha256Chain', 'sha256Chain'],
    ['sha256', 'sha256'],
    ['pohVerify', 'pohVerify'],
    ['sha256Pairs', 'sha256Pairs'],
    ['sha256Leaves', 'sha256Leaves'],
    ['sha256Ragged', 'sha256Ragged'],
    ['aesCbcEncrypt', 'aesCbc'],
    ['aesCbcDecrypt', 'aesCbc'],
    ['aesCbcEncryptMany', 'aesCbcEncryptMany'],
    ['aesCbcSampleMany', 'aesCbcSampleMany'],
    ['aesCbcEncryptLeaves', 'aesCbcEncryptLeaves'],
    ['crc32c', 'crc32c'],
    ['ripemd160Keys', 'ripemd160Keys'],
    ['ed25519Verify', 'ed25519Verify'],
    ['tableRead', 'table'],
    ['tablePut', 'table'],
    ['tableDelete', 'table'],
    ['tableMove', 'table'],
  ] as const)('catches a wrong %s', (name, reported) => {
    expect(failedSelfTest(broken(name), portableRaw().raw)?.kernel).toBe(reported);
  });
});

describe('the install script', () => {
  const root = packageRoot(import.meta.filename);
  const run = (environment: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [join(root, 'tools/build/install-addon.mjs')], { encoding: 'utf8', env: environment });

  it('says one line and succeeds without a compiler', () => {
    const { status, stdout, stderr } = run({ PATH: '/nonexistent' });
    expect(status).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^cairn kernels: no C\+\+ compiler .*\n$/);
  });

  it('says one line and succeeds when portable kernels are wanted', () => {
    const { status, stdout } = run({ ...process.env, CAIRN_KERNELS: 'portable' });
    expect(status).toBe(0);
    expect(stdout).toBe('cairn kernels: not compiled, CAIRN_KERNELS=portable\n');
  });
});
