/**
 * The devnet's processes: started from the compiled program, watched, and always ended.
 *
 * Invariants
 * - Every child leads its own process group, so that a Ctrl-C at the terminal reaches only the parent, which then stops all in order, and so
 *   that ending a child ends whatever it started.
 * - No child outlives the parent: `stopAll` asks with SIGTERM and ends with SIGKILL; the parent's `exit` event kills what is left; and a
 *   child whose standard input ends (the parent was killed with SIGKILL) stops by itself.
 * - Processes are ended by their ids only.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { workerUrl } from '../../native/worker-url.ts';

/** What a node prints when it is ready to serve. */
export interface ReadyLine {
  readonly role: string;
  /** Dialable address with the peer's name. */
  readonly peer: string;
  /** Base URL of its RPC. */
  readonly rpc: string;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How a command ended, and what it said. */
export interface CommandOutcome extends ProcessExit {
  /** Standard output; its last mebibyte. */
  readonly output: string;
  /** The end of standard error (of all commands that ran under this name). */
  readonly errors: string;
}

export type ProcessErrorCode = 'not-built' | 'exited-early' | 'not-ready' | 'failed';

/** A child that did not do its part; the message carries the end of its log. */
export class ProcessError extends Error {
  override readonly name = 'ProcessError';
  readonly code: ProcessErrorCode;
  constructor(code: ProcessErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 8_000;
const LOG_TAIL_SIZE = 2_000;
const OUTPUT_SIZE_MAX = 1024 * 1024;

/** One child: a node, or a command that ends by itself. */
export class Child {
  readonly name: string;
  readonly logFile: string;
  readonly exited: Promise<ProcessExit>;
  /** Set before the parent ends it: an exit without it is unexpected. */
  ending = false;
  readonly #process: ChildProcess;
  #running = true;

  constructor(name: string, process_: ChildProcess, logFile: string) {
    this.name = name;
    this.logFile = logFile;
    this.#process = process_;
    this.exited = new Promise((resolve) => {
      const done = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#running = false;
        resolve({ code, signal });
      };
      process_.once('exit', done);
      process_.once('error', () => done(null, null));
    });
  }

  get running(): boolean {
    return this.#running;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get stdout(): NonNullable<ChildProcess['stdout']> {
    return this.#process.stdout as NonNullable<ChildProcess['stdout']>;
  }

  /** Sends a signal to the child's whole group; nothing when it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#running || this.#process.pid === undefined) return;
    this.ending = true;
    try {
      process.kill(-this.#process.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** SIGTERM, then SIGKILL when it takes longer than `graceMs`. */
  async stop(graceMs: number = STOP_GRACE_MS): Promise<ProcessExit> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The end of its log, for an error message. */
  async logTail(): Promise<string> {
    const text = await readFile(this.logFile, 'utf8').catch(() => '');
    return text.slice(-LOG_TAIL_SIZE).trim();
  }
}

export interface ProcessesOptions {
  /** Folder for logs: one file a child. */
  readonly logDirectory: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** The program; the compiled command line unless a test brings its own. */
  readonly program?: string;
  /** Called when a child ends that nobody ended. */
  readonly onUnexpectedExit: (child: Child, exit: ProcessExit) => void;
}

export class Processes {
  readonly #options: ProcessesOptions;
  readonly #program: string;
  readonly #children = new Set<Child>();
  readonly #killAll = (): void => {
    for (const child of this.#children) child.signal('SIGKILL');
  };

  constructor(options: ProcessesOptions) {
    this.#options = options;
    this.#program = options.program ?? fileURLToPath(workerUrl(import.meta.url, '../../src/cli/main.ts'));
    process.on('exit', this.#killAll);
  }

  /** Starts a node and waits for its ready line. @throws ProcessError */
  async startNode(name: string, role: string, configFile: string): Promise<{ child: Child; ready: ReadyLine }> {
    const child = this.#spawn(name, [role, '--config', configFile, '--stop-with-stdin']);
    void child.exited.then((exit) => {
      if (!child.ending) this.#options.onUnexpectedExit(child, exit);
    });
    return { child, ready: await this.#ready(child) };
  }

  /** Runs a command to its end and returns what it printed. @throws ProcessError when it fails or takes too long */
  async run(name: string, args: readonly string[], timeoutMs: number): Promise<string> {
    const { code, signal, output, errors } = await this.execute(name, args, timeoutMs);
    if (code === 0) return output;
    const how = signal === null ? `exit code ${code}` : signal;
    throw new ProcessError('failed', `${name} ended with ${how}: ${errors || output.trim()}`);
  }

  /** Runs a command to its end, whatever that is; SIGKILL ends it after `timeoutMs`. */
  async execute(name: string, args: readonly string[], timeoutMs: number): Promise<CommandOutcome> {
    const child = this.#spawn(name, args);
    const timer = setTimeout(() => child.signal('SIGKILL'), timeoutMs);
    const [output, exit] = await Promise.all([collect(child), child.exited]);
    clearTimeout(timer);
    return { ...exit, output, errors: await child.logTail() };
  }

  /** Ends every child. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.stop()));
    process.off('exit', this.#killAll);
  }

  #spawn(name: string, args: readonly string[]): Child {
    if (!existsSync(this.#program))
      throw new ProcessError('not-built', `${this.#program} is not there; build it first: npm run build`);
    const logFile = join(this.#options.logDirectory, `${name}.log`);
    const log = openSync(logFile, 'a');
    try {
      const started = spawn(process.execPath, [this.#program, ...args], {
        detached: true,
        stdio: ['pipe', 'pipe', log],
        env: { ...process.env, ...this.#options.environment },
      });
      const child = new Child(name, started, logFile);
      this.#children.add(child);
      void child.exited.then(() => this.#children.delete(child));
      return child;
    } finally {
      closeSync(log);
    }
  }

  async #ready(child: Child): Promise<ReadyLine> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), READY_TIMEOUT_MS);
    });
    const outcome = await Promise.race([readyLine(child), child.exited, late]);
    clearTimeout(timer);
    if (outcome === 'late') {
      throw new ProcessError(
        'not-ready',
        `${child.name} was not ready within ${READY_TIMEOUT_MS / 1000} s; its log: ${child.logFile}`,
      );
    }
    if ('peer' in outcome) return outcome;
    throw new ProcessError('exited-early', `${child.name} ended before it was ready: ${await child.logTail()}`);
  }
}

async function readyLine(child: Child): Promise<ReadyLine> {
  // Never closed: later lines must be read too, or the child would block on a full pipe.
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve) => {
    lines.on('line', (line) => {
      const ready = parseReady(line);
      if (ready !== null) resolve(ready);
    });
  });
}

/** A ready line, or null for any other. */
export function parseReady(line: string): ReadyLine | null {
  try {
    const { event, role, peer, rpc } = JSON.parse(line) as Record<string, unknown>;
    const complete = typeof role === 'string' && typeof peer === 'string' && typeof rpc === 'string';
    return event === 'ready' && complete ? { role, peer, rpc } : null;
  } catch {
    return null;
  }
}

async function collect(child: Child): Promise<string> {
  let output = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    output += chunk;
    if (output.length > OUTPUT_SIZE_MAX) output = output.slice(-OUTPUT_SIZE_MAX);
  }
  return output;
}
