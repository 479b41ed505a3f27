/**
 * Who lied to a fast sync: remembered beside what was kept, so that an attempt that goes on does not ask them again.
 *
 * File: one line a liar, `name code`, oldest first. A file that cannot be read as such counts as empty: it costs a second lie, nothing else.
 * Invariant: at most `LIARS_MAX` names; the oldest goes first.
 */
import { type Files, FilesError, readWhole, writeWhole } from '../files/files.ts';

/** Liars remembered. */
export const LIARS_MAX = 1024;
/** Longest name remembered, and longest code. */
const WORD_LENGTH_MAX = 128;
const FILE_SIZE_BYTES_MAX: number = LIARS_MAX * (2 * WORD_LENGTH_MAX + 2);
const LINE = /^(\S{1,128}) (\S{1,128})$/;

export class LiarList {
  readonly #files: Files;
  readonly #path: string;
  readonly #codes: Map<string, string>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(files: Files, path: string, codes: Map<string, string>) {
    this.#files = files;
    this.#path = path;
    this.#codes = codes;
  }

  /** Reads the file at `path`, if there is one. Throws `FilesError`. */
  static async open(files: Files, path: string): Promise<LiarList> {
    return new LiarList(files, path, await readCodes(files, path));
  }

  /** Names, each with what its lie was. */
  get codes(): ReadonlyMap<string, string> {
    return this.#codes;
  }

  has(name: string): boolean {
    return this.#codes.has(name);
  }

  /** Remembers a liar; durable when resolved. Names that do not fit (spaces, too long) are remembered until the process ends. */
  add(name: string, code: string): Promise<void> {
    this.#codes.delete(name);
    this.#codes.set(name, code);
    const oldest = this.#codes.keys().next().value;
    if (this.#codes.size > LIARS_MAX && oldest !== undefined) this.#codes.delete(oldest);
    this.#writing = this.#writing.catch(() => {}).then(() => writeWhole(this.#files, this.#path, this.#encoded()));
    return this.#writing;
  }

  #encoded(): Uint8Array {
    const lines = [...this.#codes].map(([name, code]) => `${name} ${code}`).filter((line) => LINE.test(line));
    return new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));
  }
}

async function readCodes(files: Files, path: string): Promise<Map<string, string>> {
  const codes = new Map<string, string>();
  if (!(await files.exists(path))) return codes;
  let text = '';
  try {
    text = new TextDecoder().decode(await readWhole(files, path, FILE_SIZE_BYTES_MAX));
  } catch (error) {
    if (!(error instanceof FilesError) || error.code !== 'io') throw error;
  }
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match !== null && codes.size < LIARS_MAX) codes.set(match[1]!, match[2]!);
  }
  return codes;
}
