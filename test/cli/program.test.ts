/** The program as a user meets it: real processes from dist (built by `npm test`), their help, output and exit codes. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workerUrl } from '../../native/worker-url.ts';
import { createProgram } from '../../src/cli/program.ts';

const MAIN = fileURLToPath(workerUrl(import.meta.url, '../../src/cli/main.ts'));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cairn-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function cairn(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 30_000,
    // Nobody listens on port 1.
    env: { ...process.env, CAIRN_RPC: 'http://127.0.0.1:1', NO_COLOR: '', CI: 'true' },
  });
  return { code: status, out: stdout, err: stderr };
}

/** What the program prints for `... --help`, without a process for each of thirty commands: all of them end as the two that are run for real. */
async function helpOf(args: readonly string[]): Promise<string> {
  const program = createProgram();
  let out = '';
  const quiet = (command: typeof program): void => {
    command.exitOverride().configureOutput({ writeOut: (text) => (out += text) });
    for (const each of command.commands) quiet(each);
  };
  quiet(program);
  await expect(program.parseAsync([...args, '--help'], { from: 'user' })).rejects.toMatchObject({ exitCode: 0 });
  return out;
}

describe.skipIf(!existsSync(MAIN))('cairn (skipped when dist is not built: npm run build)', () => {
  it('teaches with examples in its help, and in that of a command', () => {
    const { code, out } = cairn('--help');
    expect(code).toBe(0);
    expect(out).toContain('Examples:');
    expect(out).toContain('Exit codes: 0');
    const deep = cairn('verify', 'proof', '--help');
    expect([deep.code, deep.err]).toEqual([0, '']);
    expect(deep.out).toContain('$ cairn verify proof');
  });

  it('teaches with examples in the help of every command', async () => {
    const single =
      'devnet doctor init validator archive replicator keygen address balance transfer revive timestamp sync rebuild bench soundness prove verify';
    const checks = ['timestamp', 'account', 'poh', 'history', 'proof', 'log'].map((what) => ['verify', what]);
    checks.push(
      ...['status', 'unregister', 'withdraw', 'report'].map((what) => ['replication', what]),
      ['prove', 'account'],
      ['inspect', 'log'],
      ['inspect', 'table'],
      ['inspect', 'history'],
    );
    for (const args of [...single.split(' ').map((name) => [name]), ...checks]) {
      const help = await helpOf(args);
      expect(help).toContain(`$ cairn ${args.join(' ')}`);
      // Not groups themselves: they would take the option away from their subcommands.
      expect([args, help.includes('--json')]).toEqual([args, !['verify', 'prove'].includes(args.join())]);
    }
  });

  it('says of a small segment that its proofs are not sound, and ends with 1', () => {
    const { code, out, err } = cairn('soundness', '--segment', '64K', '--leaf', '256', '--samples', '40', '--json');
    expect([code, err.split('\n')[0]]).toEqual([1, expect.stringContaining('NOT SOUND')]);
    const report = JSON.parse(out) as { sound: boolean; rows: { attack: string; verdict: string }[] };
    expect(report.sound).toBe(false);
    expect(report.rows.find(({ attack }) => attack === 'just-in-time encoder')?.verdict).toBe('PASSES');
    expect(report.rows.find(({ attack }) => attack === 'replayer')?.verdict).toBe('caught');
  });

  it.each([
    ['an unknown command', ['fly'], "unknown command 'fly'"],
    ['a number of layers there is not', ['soundness', '--layers', '3'], '--layers must be 1, 2 or 4'],
    ['a segment of no size', ['soundness', '--segment', '5X'], 'It must be a size in bytes'],
    ['an unknown option', ['devnet', '--fast'], "unknown option '--fast'"],
    ['a missing option', ['keygen'], "required option '--out <file>' not specified"],
    ['a bad duration', ['devnet', '--for', '5 minutes'], 'such as 500ms, 60s, 5m or 2h'],
    ['a bad address', ['balance', 'cairn1nope'], 'an address has 44 characters'],
    ['a bad amount', ['transfer', '--amount', '1.5'], 'whole number of units'],
    ['a bad trusted block', ['verify', 'poh', '--genesis', 'g', '--after', '7'], 'must be HEIGHT:HASH'],
    ['a bad peer', ['sync', '--from', '127.0.0.1:90'], 'must look like /ip4/'],
    ['a missing configuration', ['archive', '--config', 'absent.json'], 'does not exist; make one with: cairn init'],
    ['a missing key file', ['address', 'absent.json'], 'does not exist; make one with: cairn keygen'],
    ['a missing transfer file', ['devnet', '--transfers', 'absent.csv'], 'absent.csv: cannot open it'],
    ['a missing proof', ['verify', 'timestamp', 'a', 'b', '--trust', '1'.repeat(32)], 'cannot read b'],
  ])('%s: exit code 2, one line of reason, no stack', (_, args, reason) => {
    const { code, err } = cairn(...args);
    expect(code).toBe(2);
    expect(err).toContain('error: ');
    expect(err).toContain(reason);
    expect(err).not.toMatch(/\n\s+at /);
  });

  it('ends with exit code 1 when what was asked could not be done, and shows a stack only with --debug', () => {
    const wallet = cairn('keygen', '--out', 'asker.json');
    expect(wallet.code).toBe(0);
    const address = cairn('address', 'asker.json').out.trim();
    const plain = cairn('balance', address);
    expect([plain.code, plain.out]).toEqual([1, '']);
    expect(plain.err).toContain('cannot reach http://127.0.0.1:1');
    expect(plain.err).not.toMatch(/\n\s+at /);
    expect(cairn('balance', address, '--debug').err).toMatch(/\n\s+at /);
  });

  it('makes keys that are secret and never overwritten', () => {
    const made = cairn('keygen', '--out', 'key.json', '--json');
    const { publicKey, address, file } = JSON.parse(made.out);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(made.out).not.toContain('seed');
    expect(cairn('keygen', '--out', 'key.json')).toMatchObject({ code: 2, out: '' });
    expect(JSON.parse(cairn('address', 'key.json', '--json').out)).toEqual({ publicKey, address });
    expect(cairn('address', '--public-key', publicKey).out).toBe(`${address}\n`);
  });

  it('writes a network, and not over another', () => {
    const { code, out } = cairn('init', 'net', '--validators', '2', '--archives', '1', '--json');
    expect(code).toBe(0);
    const { nodes, wallet, genesis } = JSON.parse(out);
    expect(nodes.map((node: { role: string }) => node.role)).toEqual(['validator', 'validator', 'archive']);
    expect(statSync(wallet).mode & 0o777).toBe(0o600);
    expect(existsSync(genesis)).toBe(true);
    expect(cairn('init', 'net', '--fund', cairn('address', wallet).out.trim())).toMatchObject({ code: 2 });
    expect(cairn('validator', '--config', 'net/archive-1/config.json').err).toContain('role is "archive"');
  });

  it('tells about a malformed transfer file before it starts anything: file, line, reason', () => {
    writeFileSync(join(folder, 'bad.csv'), `from_address,to_address,value\n0x${'a'.repeat(40)},0x12,5\n`);
    const { code, err } = cairn('devnet', '--transfers', 'bad.csv', '--for', '5s');
    expect(code).toBe(2);
    expect(err).toMatch(/bad\.csv, line 2: to_address must be 0x and 40 hex digits/);
  });

  it('examines the machine', () => {
    const { code, out } = cairn('doctor', '--rate', '1000', '--json');
    const found = JSON.parse(out);
    expect(code).toBe(found.ok ? 0 : 1);
    expect(found.poh.hashesPerSecond).toBeGreaterThan(1000);
    expect(found.kernels.paths.length).toBeGreaterThan(0);
    expect(cairn('doctor', '--rate', '1000000000000').code).toBe(1);
  });
});
