/**
 * The addon as it is shipped: a package with a prebuilt one, no compiler and nothing compiled; and the same with a damaged one, of which the self-test must
 * refuse what is wrong. Runs the compiled sources in a folder of its own.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KernelPath } from '../../native/kernels.ts';
import { packageRoot } from '../../native/worker-url.ts';

const ROOT = packageRoot(import.meta.filename);
const ADDON = join(ROOT, 'build/Release/cairn.node');
const isBuilt = existsSync(ADDON) && existsSync(join(ROOT, 'dist/native'));
/** No compiler, no make, nothing. */
const EMPTY_PATH = { PATH: '/nonexistent' };

let tree: string;
const prebuild = (): string => join(tree, 'prebuilds', `${process.platform}-${process.arch}`, 'cairn.glibc.node');
const stamp = (): string => join(tree, 'prebuilds', `${process.platform}-${process.arch}`, 'cairn.sources');

function node(script: string, env: NodeJS.ProcessEnv = EMPTY_PATH): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: tree,
    encoding: 'utf8',
    env,
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

/** The lines of `cairn doctor` in the folder, by kernel. */
function paths(): Map<string, KernelPath> {
  const printed = node(
    `import { loadKernels } from './dist/native/index.js'; console.log(JSON.stringify(loadKernels().paths))`,
  );
  return new Map((JSON.parse(printed) as KernelPath[]).map((path) => [path.kernel, path]));
}

const install = (): string => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(tree, 'tools/build/install-addon.mjs')], {
    encoding: 'utf8',
    env: EMPTY_PATH,
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
};

beforeAll(() => {
  if (!isBuilt) return;
  tree = mkdtempSync(join(tmpdir(), 'cairn-prebuild-'));
  for (const folder of ['dist/native', 'native/addon', 'native/limits'])
    cpSync(join(ROOT, folder), join(tree, folder), { recursive: true });
  mkdirSync(join(tree, 'tools/build'), { recursive: true });
  for (const file of ['package.json', 'binding.gyp', 'tools/build/install-addon.mjs', 'tools/build/addon-sources.mjs'])
    copyFileSync(join(ROOT, file), join(tree, file));
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  mkdirSync(join(prebuild(), '..'), { recursive: true });
});
afterAll(() => {
  if (isBuilt) rmSync(tree, { recursive: true, force: true });
});

/** Ships the addon with one constant of its code changed, wherever it stands. */
function shipDamaged(constant: readonly number[]): void {
  const bytes = readFileSync(ADDON);
  let count = 0;
  for (let at = bytes.indexOf(Buffer.from(constant)); at >= 0; at = bytes.indexOf(Buffer.from(constant), at + 1)) {
    bytes[at]! ^= 1;
    count += 1;
  }
  expect(count).toBeGreaterThan(0);
  writeFileSync(prebuild(), bytes);
}

describe.skipIf(!isBuilt)('a package with a prebuilt addon and no compiler', () => {
  it('runs the native kernels, and the install script knows it', () => {
    copyFileSync(ADDON, prebuild());
    writeFileSync(
      stamp(),
      node(`import('./tools/build/addon-sources.mjs').then((m) => console.log(m.sourcesDigest()))`),
    );
    expect(install()).toBe('cairn kernels: prebuilt for this platform\n');
    expect(paths().get('twin')).toMatchObject({ path: 'native' });
  });

  it('does not count on one of other sources', () => {
    writeFileSync(stamp(), `${'0'.repeat(64)}\n`);
    expect(install()).toMatch(/^cairn kernels: no C\+\+ compiler .*\n$/);
  });

  it('runs the portable kernels when the file is no addon, and says so in one line', () => {
    writeFileSync(prebuild(), 'no shared library');
    expect(paths().get('twin')).toMatchObject({
      path: 'portable',
      reason: expect.stringMatching(/^the C\+\+ kernels cannot be loaded: .+$/),
    });
  });

  it('runs the portable kernels when the addon computes another SHA-256', () => {
    shipDamaged([0x98, 0x2f, 0x8a, 0x42, 0x91, 0x44, 0x37, 0x71]);
    const reason = 'the C++ kernels failed their self-test: sha256Chain';
    expect(paths().get('twin')).toMatchObject({ path: 'portable', reason });
  });

  it('refuses Ed25519 alone when only that is wrong, and says so', () => {
    // The order of the group, in S < L and in the reduction of the challenge.
    shipDamaged([0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58]);
    const found = paths();
    const isNativeHere = openable();
    expect(found.get('twin')).toMatchObject({ path: 'native' });
    if (!isNativeHere) return;
    expect(found.get('twin')?.reason).toBe('the C++ kernels are compiled; refused after a failed self-test: ed25519');
    expect(found.get('ed25519')?.reason).toBe('the C++ path failed its self-test (ed25519Verify)');
    expect(['sodium-native', 'node:crypto']).toContain(found.get('ed25519')?.path);
    expect(found.get('sha256')?.path).toMatch(/^c\+\+/);
  });
});

/** Whether this CPU has the native Ed25519 at all. */
function openable(): boolean {
  const flags = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  return flags.includes('avx512ifma');
}

describe.skipIf(!isBuilt)('platforms without C++ kernels', () => {
  it('get one line each', () => {
    const lines = node(`import('./tools/build/addon-sources.mjs').then(({ platformRefusal: line }) => console.log([
      line({ platform: 'linux', arch: 'x64', glibc: '2.36' }),
      line({ platform: 'linux', arch: 'x64', glibc: undefined }),
      line({ platform: 'linux', arch: 'arm64', glibc: '2.36' }),
      line({ platform: 'darwin', arch: 'arm64', glibc: undefined }),
    ].join('\\n')))`);
    expect(lines.split('\n')).toEqual([
      '',
      'there are no C++ kernels for musl',
      'there are no C++ kernels for arm64',
      'there are no C++ kernels for darwin',
      '',
    ]);
  });
});
