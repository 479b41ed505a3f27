/** What the scripts that compile the C++ kernels share: the sources, their digest, node-gyp, and which platforms have native kernels. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const SOURCES = ['native/addon', 'native/limits'];
/** Where Node was installed: its headers and npm lie there. */
const PREFIX = resolve(dirname(process.execPath), '..');

/** Digest of everything that is compiled, and of whatever else is given. */
export function sourcesDigest(...others) {
  const hash = createHash('sha256');
  for (const other of others) hash.update(`${other}\n`);
  const names = SOURCES.flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`));
  for (const name of ['binding.gyp', ...names.sort()]) hash.update(`${name}\n`).update(readFileSync(join(ROOT, name)));
  return hash.digest('hex');
}

/** npm names its own node-gyp to install scripts; outside of one, it lies beside npm. */
export function findNodeGyp() {
  const besideNpm = 'npm/node_modules/node-gyp/bin/node-gyp.js';
  const candidates = [
    process.env.npm_config_node_gyp,
    join(PREFIX, 'lib/node_modules', besideNpm),
    join(PREFIX, 'share/nodejs', besideNpm),
    join(PREFIX, 'share/nodejs/node-gyp/bin/node-gyp.js'),
  ];
  return candidates.find((path) => path !== undefined && existsSync(path)) ?? null;
}

/** The folder with the running Node's headers, so that none are downloaded; null when they are not there. */
export const headersPrefix = () => (existsSync(join(PREFIX, 'include/node/node_api.h')) ? PREFIX : null);

/** The machine this runs on. `glibc` is undefined with another C library, e.g. musl. */
export const thisPlatform = () => ({
  platform: process.platform,
  arch: process.arch,
  glibc: process.report.getReport().header.glibcVersionRuntime,
});

/** Why a platform has no C++ kernels, or null when it has: those that nobody has tested are not offered. */
export function platformRefusal({ platform, arch, glibc }) {
  if (platform !== 'linux') return `there are no C++ kernels for ${platform}`;
  if (arch !== 'x64') return `there are no C++ kernels for ${arch}`;
  return glibc === undefined ? 'there are no C++ kernels for musl' : null;
}

/** The folder of this platform's prebuilt addon, and the file beside it that names its sources. */
export const PREBUILD_FOLDER = join(ROOT, 'prebuilds', `${process.platform}-${process.arch}`);
export const PREBUILD_STAMP = join(PREBUILD_FOLDER, 'cairn.sources');
