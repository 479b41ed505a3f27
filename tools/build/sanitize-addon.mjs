/**
 * Builds the C++ kernels with AddressSanitizer and UndefinedBehaviorSanitizer into a folder of its own, and runs the kernels' differential suite on
 * them: `node tools/build/sanitize-addon.mjs [tests...]`. The addon in use is not touched. Exit code 0 only when every test passed
 * and neither sanitizer said anything.
 *
 * Node itself is not instrumented, so the sanitizer's runtime is preloaded, and leaks are not looked for (Node keeps much until it ends).
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const WORK = join(ROOT, 'build/sanitize/tree');
const COMPILER = process.env.CXX ?? 'g++';
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-fno-omit-frame-pointer', '-g'];
const FLAGS = [
  '-O1',
  '-std=c++17',
  '-fPIC',
  '-fno-exceptions',
  '-fno-rtti',
  '-fvisibility=hidden',
  '-DNAPI_VERSION=8',
  '-w',
];

function run(program, parameters, options = {}) {
  const { status, error } = spawnSync(program, parameters, { stdio: 'inherit', ...options });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** A copy of the sources and tests in which the only addon is the sanitized one. */
function makeTree() {
  rmSync(WORK, { recursive: true, force: true });
  mkdirSync(join(WORK, 'build/Release'), { recursive: true });
  for (const name of ['native', 'storage', 'test/native', 'test/vectors', 'tools/build'])
    cpSync(join(ROOT, name), join(WORK, name), { recursive: true });
  for (const name of ['package.json', 'tsconfig.json', 'binding.gyp']) copyFileSync(join(ROOT, name), join(WORK, name));
  const vectors = join(ROOT, '../shared');
  rmSync(join(WORK, '../shared'), { force: true });
  // The tests look for the larger sets of vectors beside the repository.
  if (existsSync(vectors)) symlinkSync(vectors, join(WORK, '../shared'));
  symlinkSync(join(ROOT, 'node_modules'), join(WORK, 'node_modules'));
}

function compile() {
  const { sources } = JSON.parse(readFileSync(join(ROOT, 'binding.gyp'), 'utf8')).targets[0];
  const headers = resolve(dirname(process.execPath), '../include/node');
  if (!existsSync(join(headers, 'node_api.h'))) throw new Error(`no node_api.h in ${headers}`);
  const objects = sources.map((source) => {
    const object = join(WORK, 'build', `${source.replaceAll('/', '_')}.o`);
    run(COMPILER, [...SANITIZERS, ...FLAGS, `-I${headers}`, '-c', join(ROOT, source), '-o', object]);
    return object;
  });
  run(COMPILER, ['-shared', ...SANITIZERS, ...objects, '-o', join(WORK, 'build/Release/cairn.node')]);
}

function runtimeLibraries() {
  const find = (name) => spawnSync(COMPILER, [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
  // The C++ library before it, or the runtime cannot see its exceptions.
  return ['libasan.so', 'libubsan.so', 'libstdc++.so.6'].map(find).join(' ');
}

function test(names) {
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const tests = names.length > 0 ? names : ['test/native'];
  run(
    process.execPath,
    [vitest, 'run', '--root', WORK, '--pool', 'forks', '--maxWorkers', '1', '--testTimeout', '600000', ...tests],
    {
      cwd: WORK,
      env: {
        ...process.env,
        CAIRN_KERNELS: 'native',
        LD_PRELOAD: runtimeLibraries(),
        ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1:alloc_dealloc_mismatch=0',
        UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
      },
    },
  );
}

makeTree();
compile();
test(process.argv.slice(2));
console.log('sanitized kernels: every test passed, and neither sanitizer said anything');
