/** `cairn doctor`: what this machine offers: kernels in use and why, the PoH rate it can hold, processor features, versions. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Command } from 'commander';
import pc from 'picocolors';
import { type Kernels, loadKernels } from '../../../native/index.ts';
import { DEFAULT_PARAMETERS } from '../../node/init.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { failed } from '../failure.ts';

interface Options extends CommonOptions {
  readonly rate: number;
}

const { poh } = DEFAULT_PARAMETERS;
const DEFAULT_RATE = (poh.hashesPerTick * poh.ticksPerSlot * 1000) / poh.slotDurationMs;
/** Below this head room a busy machine falls behind. */
const HEAD_ROOM_MIN = 1.5;
const MEASURE_MS = 1_000;
const SLICE_STEPS = 20_000;
const SMALLEST_NODE = [20, 19] as const;
/** Features the native kernels look for. */
const FEATURES = ['sha_ni', 'aes', 'avx2', 'avx512f', 'avx512ifma', 'vaes', 'bmi2'] as const;

export function doctorCommand(): Command {
  return newCommand('doctor', 'check this machine: kernels, PoH rate, processor features, versions', [
    ['cairn doctor', 'against the default PoH rate'],
    ['cairn doctor --rate 10000000', 'against another genesis rate'],
    ['CAIRN_KERNELS=portable cairn doctor', 'without the native kernels'],
  ])
    .option('--rate <hashes>', 'PoH hashes a second the network asks for', wholeNumber(1, 1e12), DEFAULT_RATE)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const kernels = loadKernels();
  const hashesPerSecond = measurePoh(kernels);
  const headRoom = hashesPerSecond / options.rate;
  const features = processorFeatures();
  const nodeOk = isNewEnough(process.versions.node);
  const [cpu] = cpus();
  const machine = { cpu: cpu?.model ?? 'unknown', cores: availableParallelism(), memoryBytes: totalmem(), features };
  const isOk = nodeOk && headRoom >= HEAD_ROOM_MIN;
  const result = {
    ok: isOk,
    node: { version: process.version, ok: nodeOk },
    machine,
    kernels: { name: kernels.name, paths: kernels.paths },
    poh: {
      hashesPerSecond: Math.round(hashesPerSecond),
      wanted: options.rate,
      headRoom: Math.round(headRoom * 10) / 10,
    },
  };
  printResult(options, result, describe(result));
  if (!isOk) throw failed(complaint(nodeOk, options.rate, headRoom));
}

/** Steps of sequential SHA-256 a second on this core, measured in slices as the PoH thread makes them. */
function measurePoh(kernels: Kernels): number {
  const state = new Uint8Array(32);
  kernels.sha256Chain(state, SLICE_STEPS);
  const startedMs = performance.now();
  let steps = 0;
  while (performance.now() - startedMs < MEASURE_MS) {
    kernels.sha256Chain(state, SLICE_STEPS);
    steps += SLICE_STEPS;
  }
  return (steps * 1000) / (performance.now() - startedMs);
}

function processorFeatures(): string[] {
  try {
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [];
    return FEATURES.filter((feature) => flags.includes(feature));
  } catch {
    return [];
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > SMALLEST_NODE[0] || (major === SMALLEST_NODE[0] && minor >= SMALLEST_NODE[1]);
}

interface Findings {
  readonly node: { readonly version: string; readonly ok: boolean };
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryBytes: number;
    readonly features: readonly string[];
  };
  readonly kernels: Pick<Kernels, 'name' | 'paths'>;
  readonly poh: { readonly hashesPerSecond: number; readonly wanted: number; readonly headRoom: number };
}

function describe({ node, machine, kernels, poh: measured }: Findings): string[] {
  // Told outright: picocolors would also colour for a pipe when CI is set.
  const colors = pc.createColors(process.stdout.isTTY === true);
  const mark = (isGood: boolean): string => (isGood ? colors.green('ok  ') : colors.red('no  '));
  const width = Math.max(...kernels.paths.map((path) => path.kernel.length));
  const pathWidth = Math.max(...kernels.paths.map(({ path }) => path.length));
  return [
    `${mark(node.ok)} Node.js ${node.version} (needs ${SMALLEST_NODE.join('.')} or later)`,
    `${mark(true)} ${machine.cpu}, ${machine.cores} cores, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB`,
    `${mark(true)} processor features: ${machine.features.join(', ') || 'none that matter'}`,
    `${mark(measured.headRoom >= HEAD_ROOM_MIN)} PoH: ${measured.hashesPerSecond} hashes a second here, ${measured.wanted} wanted: ${measured.headRoom} times as fast`,
    `${mark(true)} kernels: ${kernels.name}`,
    ...kernels.paths.map(
      (path) => `       ${path.kernel.padEnd(width)}  ${path.path.padEnd(pathWidth)}  ${path.reason}`,
    ),
  ];
}

function complaint(nodeOk: boolean, rate: number, headRoom: number): string {
  if (!nodeOk) return `Node.js ${SMALLEST_NODE.join('.')} or later is needed`;
  return `this machine makes ${headRoom.toFixed(1)} times the ${rate} hashes a second wanted; a generator needs ${HEAD_ROOM_MIN} times`;
}
