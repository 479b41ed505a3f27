/**
 * The long campaigns: seeded searches for a counterexample that take minutes to hours, over the very code that the tests run.
 *
 *   npm run test:long                                     all of them, at their usual sizes
 *   npm run test:long -- crash --seed 7 --count 50000     one of them
 *   npm run test:long -- --help
 *
 * Each prints its seed and size, and on failure how to replay it alone. Ends with `N passed, N failed`, counted in campaigns; exit code 1 when one failed.
 */
import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** `seed` and `count` are the environment variables that the tests read. `count` alone: how many; its usual number and what it counts stand beside. */
const CAMPAIGNS = {
  crash: {
    what: 'power cuts, I/O errors and full disks under the whole state store',
    tests: ['test/long/crash.long.ts'],
    ...{ seed: 'CAIRN_LONG_SEED', count: 'CAIRN_LONG_SIZE', usual: 1_000_000, unit: 'power cuts' },
  },
  'crash-log': {
    what: 'the same under the op log alone, while it deletes segments',
    tests: ['test/crash/log-power-cuts.test.ts'],
    ...{ seed: 'CAIRN_CRASH_SEED', count: 'CAIRN_CRASH_LOG_CUTS', usual: 200_000, unit: 'power cuts' },
  },
  kill: {
    what: 'SIGKILL of a loaded process with a state store',
    tests: ['test/crash/sigkill.test.ts'],
    ...{ seed: 'CAIRN_KILL_SEED', count: 'CAIRN_KILLS', usual: 1_000, unit: 'kills' },
  },
  'kill-history': {
    what: 'SIGKILL of a process that appends and prunes history',
    tests: ['test/crash/history-kill.test.ts'],
    ...{ seed: 'CAIRN_KILL_SEED', count: 'CAIRN_KILLS', usual: 300, unit: 'kills' },
  },
  'kill-replicator': {
    what: 'SIGKILL of a real replicator while it encodes, proves and rotates',
    tests: ['test/e2e/replicator-kill.test.ts'],
    ...{ seed: 'CAIRN_REPLICATOR_KILL_FIRST', count: 'CAIRN_REPLICATOR_KILLS', usual: 20, unit: 'kills' },
  },
  'kill-replicator-simulated': {
    what: 'power cuts and kills of a replicator on a simulated disk while it encodes, proves and rotates, under a real ledger',
    tests: ['test/crash/replicator-lives.test.ts'],
    ...{ seed: 'CAIRN_KILL_SEED', count: 'CAIRN_SIMULATED_KILLS', usual: 200, unit: 'deaths' },
  },
  'kill-validators': {
    what: 'SIGKILL of validators that lead and vote, in a network of processes: no vote or block that contradicts another',
    tests: ['test/e2e/kill-validators.test.ts'],
    ...{ seed: 'CAIRN_KILL_SEED', count: 'CAIRN_KILL_VALIDATORS', usual: 50, unit: 'kills' },
  },
  state: {
    what: 'the state store against plain Maps: batches, growth, restarts, kills, rebuilds, fast syncs',
    tests: ['test/storage/state-property.test.ts'],
    ...{ seed: 'CAIRN_STATE_SEED', count: 'CAIRN_STATE_RUNS', usual: 5_000, unit: 'stores' },
  },
  sync: {
    what: 'fast syncs from peers that lie',
    tests: ['test/node/poisoned-sync.test.ts'],
    ...{ seed: 'CAIRN_POISONED_FIRST', count: 'CAIRN_POISONED_SYNCS', usual: 100_000, unit: 'poisoned attempts' },
  },
  consensus: {
    what: 'seeded small networks, every scenario with each seed',
    tests: ['test/consensus/simulation.test.ts'],
    ...{ seed: 'CAIRN_CONSENSUS_FIRST', count: 'CAIRN_CONSENSUS_SEEDS', usual: 1_000, unit: 'seeds' },
  },
  fuzz: {
    what: 'hostile bytes into every parser of what goes over the network',
    tests: ['test/codec/fuzz.test.ts'],
    ...{ seed: 'CAIRN_FUZZ_SEED', count: 'CAIRN_FUZZ', usual: 20_000_000, unit: 'inputs' },
  },
  ed25519: {
    what: 'generated edge cases of signatures on all backends',
    tests: ['test/long/ed25519.long.ts'],
    ...{ seed: 'CAIRN_LONG_SEED', count: 'CAIRN_LONG_SIZE', usual: 1_000_000, unit: 'signatures' },
  },
  simulate: {
    what: 'whole networks in simulated time, with faults and liars',
    tests: ['test/long/simulate.long.ts'],
    ...{ seed: 'CAIRN_LONG_SEED', count: 'CAIRN_LONG_SIZE', usual: 100, unit: 'simulated hours' },
  },
  sanitize: {
    what: "the kernels' differential suite on a build with AddressSanitizer and UndefinedBehaviorSanitizer (no seed, no count)",
    script: 'tools/build/sanitize-addon.mjs',
  },
};

const HELP = `Usage: npm run test:long -- [CAMPAIGN] [--seed S] [--count N]

Without a campaign: all of them, one after another, at their usual sizes.

${Object.entries(CAMPAIGNS)
  .map(
    ([name, { what, usual, unit }]) =>
      `  ${name.padEnd(27)}${what}${usual ? `\n${' '.repeat(29)}usually ${usual} ${unit}` : ''}`,
  )
  .join('\n')}

--seed S    first seed, an integer from 0 on; 1 unless given
--count N   size of the campaign, in the unit above
`;

function refuse(message) {
  process.stderr.write(`${message}\n\n${HELP}`);
  process.exit(2);
}

/** A whole number within 0 .. 2^31 - 1 from the command line; undefined when not given. */
function numberOf(name, text, least) {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < least || number >= 2 ** 31)
    refuse(`--${name} must be a whole number from ${least} to ${2 ** 31 - 1}, not '${text}'`);
  return number;
}

function parse() {
  try {
    const options = { seed: { type: 'string' }, count: { type: 'string' }, help: { type: 'boolean', short: 'h' } };
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return refuse(error.message);
  }
}

/** @returns true when it ended with exit code 0 */
function run(program, parameters, environment = {}) {
  const { status, error } = spawnSync(program, parameters, {
    stdio: 'inherit',
    cwd: ROOT,
    env: { ...process.env, ...environment },
  });
  if (error !== undefined) throw error;
  return status === 0;
}

/** @returns true when it passed */
function runCampaign(name, seed = 1, count = CAMPAIGNS[name].usual) {
  const campaign = CAMPAIGNS[name];
  if (campaign.script !== undefined) return run(process.execPath, [campaign.script]);
  const replay = `npm run test:long -- ${name} --seed ${seed} --count ${count}`;
  process.stdout.write(`\n${name}: ${count} ${campaign.unit} from seed ${seed} (${replay})\n`);
  const isLong = campaign.tests[0].endsWith('.long.ts');
  const config = isLong ? ['-c', 'vitest.long.config.ts'] : ['--testTimeout', '0'];
  const startMs = performance.now();
  const environment = { [campaign.seed]: String(seed), [campaign.count]: String(count) };
  const passed = run('npx', ['vitest', 'run', ...config, ...campaign.tests], environment);
  const minutes = ((performance.now() - startMs) / 60_000).toFixed(1);
  process.stdout.write(`${name}: ${passed ? 'passed' : `FAILED; again: ${replay}`} after ${minutes} minutes\n`);
  return passed;
}

const { values, positionals } = parse();
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const [chosen, ...rest] = positionals;
if (rest.length > 0) refuse(`one campaign at a time, not ${positionals.join(' ')}`);
if (chosen !== undefined && !Object.hasOwn(CAMPAIGNS, chosen)) refuse(`no campaign is called '${chosen}'`);
const seed = numberOf('seed', values.seed, 0);
const count = numberOf('count', values.count, 1);
if ((seed ?? count) !== undefined && (chosen === undefined || CAMPAIGNS[chosen].script !== undefined))
  refuse('--seed and --count need a campaign that takes them');

if (!run('npm', ['run', '--silent', 'build'])) process.exit(1);
const names = chosen === undefined ? Object.keys(CAMPAIGNS) : [chosen];
const failed = names.filter((name) => !runCampaign(name, seed, count));
process.stdout.write(`\n${names.length - failed.length} passed, ${failed.length} failed\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
