/**
 * Compiles the C++ kernels (build/Release/cairn.node); npm runs it on install.
 *
 * A missing compiler or a failed build is no error: the portable twin serves, and one line says so. Does nothing when a prebuilt addon of
 * these sources is there (prebuild-addon.mjs), or one compiled from them by this Node version and this compiler. Downloads nothing: the headers
 * beside the running Node are used.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  findNodeGyp,
  headersPrefix,
  PREBUILD_STAMP,
  platformRefusal,
  ROOT,
  sourcesDigest,
  thisPlatform,
} from './addon-sources.mjs';

const ADDON = join(ROOT, 'build/Release/cairn.node');
const STAMP = join(ROOT, 'build/cairn.stamp');
const LOG = join(ROOT, 'build/addon.log');
const COMPILE_TIMEOUT_MS = 300_000;

const say = (line) => console.log(`cairn kernels: ${line}`);

/** First line of `program --version`, or null when it cannot be run. */
function versionOf(program) {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n', 1)[0] : null;
}

const holds = (stamp, digest) => existsSync(stamp) && readFileSync(stamp, 'utf8').trim() === digest;

function build(nodeGyp) {
  const prefix = headersPrefix();
  const nodedir = prefix === null ? [] : [`--nodedir=${prefix}`];
  const parameters = [nodeGyp, 'configure', 'build', '--jobs=2', ...nodedir];
  const { status, stdout, stderr } = spawnSync(process.execPath, parameters, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: COMPILE_TIMEOUT_MS,
    maxBuffer: 64 * 1024 * 1024,
  });
  writeFileSync(LOG, `${stdout}\n${stderr}`);
  return status === 0 && existsSync(ADDON);
}

function install() {
  if (process.env.CAIRN_KERNELS === 'portable') return say('not compiled, CAIRN_KERNELS=portable');
  const refusal = platformRefusal(thisPlatform());
  if (refusal !== null) return say(`${refusal}, so the slower portable kernels will run`);
  if (!existsSync(ADDON) && holds(PREBUILD_STAMP, sourcesDigest())) return say('prebuilt for this platform');
  const compiler = versionOf(process.env.CXX ?? 'g++');
  if (compiler === null || versionOf('make') === null)
    return say(
      'no C++ compiler and make here, so the slower portable kernels will run (install g++ and make, then npm run build:addon)',
    );
  const nodeGyp = findNodeGyp();
  if (nodeGyp === null) return say('node-gyp was not found beside npm, so the slower portable kernels will run');
  const digest = sourcesDigest(process.version, process.arch, compiler);
  if (existsSync(ADDON) && holds(STAMP, digest)) return say('up to date');
  mkdirSync(dirname(STAMP), { recursive: true });
  rmSync(STAMP, { force: true });
  if (!build(nodeGyp)) {
    // An addon of older sources would be worse than none.
    rmSync(ADDON, { force: true });
    return say(`the compilation failed, so the slower portable kernels will run (see ${LOG})`);
  }
  writeFileSync(STAMP, digest);
  return say(`compiled with ${compiler}`);
}

try {
  install();
} catch (error) {
  say(`not compiled (${error instanceof Error ? error.message : error}), so the slower portable kernels will run`);
}
