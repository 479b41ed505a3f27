/**
 * Compiles the C++ kernels (build/Release/cairn.node); npm runs it on install.
 *
 * A missing compiler or a failed build is no error: the portable twin serves, and one line says so. Does nothing when the addon of these
 * sources, this Node version and this compiler is already there. Downloads nothing: the headers beside the running Node are used.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const ADDON = join(ROOT, 'build/Release/cairn.node');
const STAMP = join(ROOT, 'build/cairn.stamp');
const LOG = join(ROOT, 'build/addon.log');
const SOURCES = ['native/addon', 'native/limits'];
const COMPILE_TIMEOUT_MS = 300_000;

const say = (line) => console.log(`cairn kernels: ${line}`);

/** First line of `program --version`, or null when it cannot be run. */
function versionOf(program) {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n', 1)[0] : null;
}

/** A digest of everything the addon depends on. */
function inputsDigest(compiler) {
  const hash = createHash('sha256').update(`${process.version} ${process.arch} ${compiler}\n`);
  const names = SOURCES.flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`));
  for (const name of ['binding.gyp', ...names.sort()]) hash.update(`${name}\n`).update(readFileSync(join(ROOT, name)));
  return hash.digest('hex');
}

/** npm names its own node-gyp to install scripts; outside of one, it lies beside npm. */
function findNodeGyp() {
  const prefix = resolve(dirname(process.execPath), '..');
  const besideNpm = 'npm/node_modules/node-gyp/bin/node-gyp.js';
  const candidates = [
    process.env.npm_config_node_gyp,
    join(prefix, 'lib/node_modules', besideNpm),
    join(prefix, 'share/nodejs', besideNpm),
    join(prefix, 'share/nodejs/node-gyp/bin/node-gyp.js'),
  ];
  return candidates.find((path) => path !== undefined && existsSync(path)) ?? null;
}

function build(nodeGyp) {
  const prefix = resolve(dirname(process.execPath), '..');
  const nodedir = existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
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
  const compiler = versionOf(process.env.CXX ?? 'g++');
  if (compiler === null || versionOf('make') === null)
    return say(
      'no C++ compiler and make here, so the slower portable kernels will run (install g++ and make, then npm run build:addon)',
    );
  const nodeGyp = findNodeGyp();
  if (nodeGyp === null) return say('node-gyp was not found beside npm, so the slower portable kernels will run');
  const digest = inputsDigest(compiler);
  if (existsSync(ADDON) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === digest) return say('up to date');
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
