/**
 * The lock file: one process at a time opens a data directory.
 *
 * The file names its holder: process id, start time of that process and boot id, so that a reused process id or a reboot is not
 * mistaken for a living holder. A lock whose holder is gone is taken over inside a second such file, so that two newcomers
 * cannot both win; that one is cleared away when its own holder is gone. Processes in different pid namespaces (containers) that share a folder cannot see each other: do not do that.
 *
 * Synchronous on purpose: a few small calls at start, with no gap in which another part of this process could step between.
 */
import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { type FileLock, FilesError } from './files.ts';

/** A newcomer looks again after clearing away what a process left that died while it took over. */
const ATTEMPTS_MAX = 3;

interface Holder {
  readonly pid: number;
  /** Start time in clock ticks since boot, from /proc. */
  readonly startTime: string;
  readonly bootId: string;
}

/** Field 22 of /proc/PID/stat, counted after the command's closing bracket (the command may hold anything). */
function startTimeOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

function readHolder(path: string): Holder | undefined {
  try {
    const [pid = '', startTime = '', boot = ''] = readFileSync(path, 'latin1').trim().split(' ');
    if (!/^[1-9][0-9]{0,9}$/.test(pid)) return undefined;
    return { pid: Number(pid), startTime, bootId: boot };
  } catch {
    return undefined;
  }
}

const isAlive = (holder: Holder): boolean => holder.bootId === bootId() && startTimeOf(holder.pid) === holder.startTime;

const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined;

function refuse(path: string, holder: Holder | undefined): never {
  const who = holder === undefined ? 'another process' : `process ${holder.pid}`;
  throw new FilesError('locked', path, `data directory is in use by ${who}; stop it, or choose another data directory`);
}

/** Puts a complete lock file in place in one step (link refuses an existing name). @returns false when there is one already */
function place(path: string): boolean {
  const own = `${path}.${process.pid}.${process.hrtime.bigint()}`;
  const descriptor = openSync(own, 'wx', 0o644);
  try {
    writeSync(descriptor, `${process.pid} ${startTimeOf(process.pid) ?? ''} ${bootId()}\n`);
  } finally {
    closeSync(descriptor);
  }
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Clears away the takeover file of a process that died while it held it. */
function clearTakeover(takeover: string): void {
  const holder = readHolder(takeover);
  if (holder !== undefined && isAlive(holder)) return;
  const aside = `${takeover}.${process.pid}.${process.hrtime.bigint()}`;
  try {
    renameSync(takeover, aside);
    // Between the look and the rename another newcomer may have cleared it and begun: then it is given back.
    const moved = readHolder(aside);
    if (moved !== undefined && isAlive(moved)) linkSync(aside, takeover);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Removes a dead holder's lock while holding the takeover file, then places ours. */
function takeOver(path: string): boolean {
  const takeover = `${path}.takeover`;
  if (!place(takeover)) {
    clearTakeover(takeover);
    return false;
  }
  try {
    const holder = readHolder(path);
    if (holder !== undefined && isAlive(holder)) return false;
    renameSync(path, `${path}.stale`);
    rmSync(`${path}.stale`, { force: true });
    return place(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  } finally {
    rmSync(takeover, { force: true });
  }
}

/** Takes the lock file at `path`, or throws `FilesError` 'locked' naming the process that holds it. */
export function takeLock(path: string): FileLock {
  for (let attempt = 1; !place(path); attempt++) {
    const holder = readHolder(path);
    if ((holder !== undefined && isAlive(holder)) || attempt > ATTEMPTS_MAX) refuse(path, holder);
    if (takeOver(path)) break;
  }
  let held = true;
  return {
    release: async () => {
      if (held) rmSync(path, { force: true });
      held = false;
    },
  };
}
