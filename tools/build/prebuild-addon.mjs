/**
 * Makes the addon to ship: prebuilds/<platform>-<arch>/cairn.<libc>.node, with prebuildify, from a copy of the sources (it would take the addon in
 * use away). Beside it lies the digest of its sources, by which the install script knows it. Node's loader finds it where nothing was compiled.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  findNodeGyp,
  headersPrefix,
  PREBUILD_FOLDER,
  PREBUILD_STAMP,
  platformRefusal,
  ROOT,
  sourcesDigest,
  thisPlatform,
} from './addon-sources.mjs';

const WORK = join(ROOT, 'build/prebuild');
const PREBUILDIFY = fileURLToPath(import.meta.resolve('prebuildify/bin.js'));

function copySources() {
  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(join(WORK, 'native'), { recursive: true });
  for (const name of ['native/addon', 'native/limits']) cpSync(join(ROOT, name), join(WORK, name), { recursive: true });
  for (const name of ['package.json', 'binding.gyp']) copyFileSync(join(ROOT, name), join(WORK, name));
}

function prebuild() {
  const nodeGyp = findNodeGyp();
  if (nodeGyp === null) throw new Error('node-gyp was not found beside npm');
  const prefix = headersPrefix();
  const target = ['--target', process.versions.node];
  const { status, error } = spawnSync(
    process.execPath,
    [PREBUILDIFY, '--cwd', WORK, '--out', ROOT, '--napi', '--strip', '--tag-libc', ...target],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        PREBUILD_NODE_GYP: nodeGyp,
        ...(prefix === null ? {} : { npm_config_nodedir: prefix }),
      },
    },
  );
  if (error !== undefined) throw error;
  return status ?? 1;
}

const refusal = platformRefusal(thisPlatform());
if (refusal !== null) throw new Error(`${refusal}; nothing to prebuild`);
rmSync(PREBUILD_FOLDER, { recursive: true, force: true });
copySources();
process.exitCode = prebuild();
if (process.exitCode === 0) writeFileSync(PREBUILD_STAMP, `${sourcesDigest()}\n`);
