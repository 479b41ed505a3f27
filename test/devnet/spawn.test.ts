/** Real child processes: readiness, early ends, and that none is left behind, not even when the parent is killed. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../tools/devnet/ports.ts';
import { type Child, Processes, parseReady } from '../../tools/devnet/spawn.ts';

/** Stands in for the program: first argument says what to do. */
const PROGRAM = `
const [role] = process.argv.slice(2);
const ready = () => console.log(JSON.stringify({ event: 'ready', role, peer: '/ip4/1', rpc: 'http://x' }));
process.stdin.on('end', () => process.exit(0)).resume();
if (role === 'good') { console.log('noise'); ready(); setInterval(() => {}, 1000); }
if (role === 'stubborn') { process.on('SIGTERM', () => {}); ready(); setInterval(() => {}, 1000); }
if (role === 'broken') { console.error('the reason why'); process.exit(3); }
if (role === 'mayfly') { ready(); setTimeout(() => process.exit(7), 50); }
if (role === 'print') { console.log('a'); console.log('b'); process.exit(0); }
`;

let folder: string;
let unexpected: string[];
let processes: Processes;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cairn-spawn-'));
  const program = join(folder, 'program.cjs');
  writeFileSync(program, PROGRAM);
  unexpected = [];
  processes = new Processes({
    logDirectory: folder,
    program,
    onUnexpectedExit: (child, { code }) => unexpected.push(`${child.name} ${code}`),
  });
});
afterEach(async () => {
  await processes.stopAll();
  rmSync(folder, { recursive: true, force: true });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('nodes', () => {
  it('are ready when they say so, and end when asked, unreported', async () => {
    const { child, ready } = await processes.startNode('one', 'good', 'c.json');
    expect(ready).toEqual({ role: 'good', peer: '/ip4/1', rpc: 'http://x' });
    expect(isAlive(child.pid)).toBe(true);
    await child.stop();
    expect(isAlive(child.pid)).toBe(false);
    expect(unexpected).toEqual([]);
  });

  it('that ignore SIGTERM are killed', async () => {
    const { child } = await processes.startNode('one', 'stubborn', 'c.json');
    expect(await child.stop(100)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('that end before they are ready fail with their last words', async () => {
    await expect(processes.startNode('one', 'broken', 'c.json')).rejects.toMatchObject({
      code: 'exited-early',
      message: expect.stringContaining('the reason why'),
    });
    expect(readFileSync(join(folder, 'one.log'), 'utf8')).toContain('the reason why');
  });

  it('that end by themselves are reported', async () => {
    const { child } = await processes.startNode('one', 'mayfly', 'c.json');
    await child.exited;
    await sleep(0);
    expect(unexpected).toEqual(['one 7']);
  });

  it('are all ended by stopAll', async () => {
    const started: Child[] = [];
    for (const name of ['a', 'b']) started.push((await processes.startNode(name, 'good', 'c.json')).child);
    await processes.stopAll();
    expect(started.map((child) => isAlive(child.pid))).toEqual([false, false]);
  });
});

describe('commands', () => {
  it('give their output, or fail with their exit code and log', async () => {
    expect(await processes.run('p', ['print'], 5_000)).toBe('a\nb\n');
    await expect(processes.run('q', ['broken'], 5_000)).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/exit code 3.*the reason why/),
    });
  });
});

describe('a parent that is killed with SIGKILL', () => {
  it('takes its children along, through their standard input', async () => {
    const program = join(folder, 'program.cjs');
    const parent = spawn(
      process.execPath,
      [
        '-e',
        `const c = require('node:child_process').spawn(process.execPath, [${JSON.stringify(program)}, 'good'], { detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
         c.stdout.once('data', () => console.log(c.pid)); setInterval(() => {}, 1000);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const pid = Number(await new Promise<Buffer>((resolve) => parent.stdout.once('data', resolve)));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    for (let tries = 0; isAlive(pid) && tries < 100; tries += 1) await sleep(50);
    expect(isAlive(pid)).toBe(false);
  });
});

describe('ready lines', () => {
  it('are told from everything else', () => {
    expect(parseReady('{"event":"ready","role":"r","peer":"p","rpc":"u","more":1}')).toEqual({
      role: 'r',
      peer: 'p',
      rpc: 'u',
    });
    for (const line of ['', 'x', '{}', 'null', '[]', '{"event":"ready","role":"r","peer":1,"rpc":"u"}'])
      expect(parseReady(line)).toBeNull();
  });
});

describe('ports', () => {
  it('are free, different, and below those of outgoing connections', async () => {
    const ports = await freePorts(20);
    expect(new Set(ports).size).toBe(20);
    for (const port of ports) expect(port >= 10_000 && port < 32_768).toBe(true);
    const servers: Server[] = [];
    for (const port of ports.slice(0, 3)) {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
      servers.push(server);
    }
    for (const server of servers) server.close();
  });
});
