/**
 * Reads a file of real Ethereum transfers, row by row, in constant memory.
 *
 * What it takes: CSV with a header row, plain or gzip (told apart by gzip's magic bytes, RFC 1952 section 2.3.1), with at least
 * ethereum-etl's columns `from_address`, `to_address` and `value` (wei), found by name, in any order, among any others.
 *
 * Invariants
 * - The first malformed row ends the read with an error that names file, line and reason; nothing is repaired or guessed.
 * - A line is bounded (LINE_SIZE_MAX), so a hostile file, compressed or not, cannot make memory grow.
 * - Addresses come out in lower case, so that one account has one name.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** Longest line read, in characters: contract code in ethereum-etl's `input` column stays well below. */
export const LINE_SIZE_MAX: number = 4 * 1024 * 1024;

/** One row, as the file states it. */
export interface EthereumRow {
  /** Line in the file, the header being line 1. */
  readonly line: number;
  /** Sender, `0x` and 40 lower-case hex digits. */
  readonly from: string;
  /** Recipient in the same form, or null for a row that creates a contract (an empty column). */
  readonly to: string | null;
  /** Value in wei: 1 to 78 decimal digits, at most 2^256 - 1. */
  readonly valueWei: string;
}

export type TransferFileErrorCode = 'unreadable' | 'bad-header' | 'bad-row';

/** A transfer file that cannot be used: says which file, which line and why. */
export class TransferFileError extends Error {
  override readonly name = 'TransferFileError';
  readonly code: TransferFileErrorCode;
  readonly file: string;
  /** 0 when no line is to blame. */
  readonly line: number;
  constructor(code: TransferFileErrorCode, file: string, line: number, reason: string) {
    super(line === 0 ? `${file}: ${reason}` : `${file}, line ${line}: ${reason}`);
    this.code = code;
    this.file = file;
    this.line = line;
  }
}

const REQUIRED_COLUMNS = ['from_address', 'to_address', 'value'] as const;
const ETHEREUM_ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const DECIMAL = /^[0-9]{1,78}$/;
const WEI_MAX = (1n << 256n) - 1n;
/** Longest piece of a bad value quoted back in an error. */
const QUOTED_SIZE_MAX = 60;

/** Yields the rows of `path` in file order. Throws `TransferFileError`. */
export async function* readEthereumRows(path: string): AsyncGenerator<EthereumRow, void, void> {
  let line = 0;
  let columns: Columns | null = null;
  for await (const text of readLines(path)) {
    line += 1;
    if (columns === null) columns = parseHeader(path, text);
    else yield parseRow(path, line, text, columns);
  }
  if (columns === null) throw new TransferFileError('bad-header', path, 1, 'the file is empty; expected a header row');
}

interface Columns {
  readonly count: number;
  readonly from: number;
  readonly to: number;
  readonly value: number;
}

function parseHeader(path: string, text: string): Columns {
  const names = splitFields(path, 1, text.replace(/^\uFEFF/, ''));
  const at = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) {
      const wanted = REQUIRED_COLUMNS.join(', ');
      throw new TransferFileError('bad-header', path, 1, `no column named ${name}; the header needs ${wanted}`);
    }
    if (names.indexOf(name, index + 1) >= 0)
      throw new TransferFileError('bad-header', path, 1, `two columns are named ${name}`);
    return index;
  };
  return { count: names.length, from: at('from_address'), to: at('to_address'), value: at('value') };
}

function parseRow(path: string, line: number, text: string, columns: Columns): EthereumRow {
  const bad = (reason: string): TransferFileError => new TransferFileError('bad-row', path, line, reason);
  const fields = splitFields(path, line, text);
  if (fields.length !== columns.count)
    throw bad(`expected ${columns.count} fields as in the header, found ${fields.length}`);
  const from = fields[columns.from] ?? '';
  const to = fields[columns.to] ?? '';
  const valueWei = fields[columns.value] ?? '';
  if (!ETHEREUM_ADDRESS.test(from)) throw bad(`from_address must be 0x and 40 hex digits, found ${quote(from)}`);
  if (to !== '' && !ETHEREUM_ADDRESS.test(to))
    throw bad(`to_address must be 0x and 40 hex digits, or empty for a contract creation, found ${quote(to)}`);
  if (!DECIMAL.test(valueWei) || BigInt(valueWei) > WEI_MAX)
    throw bad(`value must be a whole number of wei within 0 .. 2^256 - 1, found ${quote(valueWei)}`);
  return { line, from: from.toLowerCase(), to: to === '' ? null : to.toLowerCase(), valueWei };
}

/** Splits one CSV line (RFC 4180 quoting; a quoted field may not span lines). */
function splitFields(path: string, line: number, text: string): string[] {
  if (!text.includes('"')) return text.split(',');
  const fields: string[] = [];
  const field = /("(?:[^"]|"")*"|[^",]*)(,|$)/y;
  for (;;) {
    const match = field.exec(text);
    if (match === null) throw new TransferFileError('bad-row', path, line, 'a quote is out of place or never closed');
    const raw = match[1] ?? '';
    fields.push(raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw);
    if (match[2] === '') return fields;
  }
}

async function* readLines(path: string): AsyncGenerator<string, void, void> {
  const stream = await openText(path);
  let line = 0;
  let rest = '';
  try {
    for await (const chunk of stream as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) {
        line += 1;
        yield text.endsWith('\r') ? text.slice(0, -1) : text;
      }
      if (rest.length > LINE_SIZE_MAX)
        throw new TransferFileError('bad-row', path, line + 1, `the line is longer than ${LINE_SIZE_MAX} characters`);
    }
  } catch (error) {
    if (error instanceof TransferFileError) throw error;
    throw new TransferFileError('unreadable', path, line + 1, `cannot read on: ${(error as Error).message}`);
  } finally {
    stream.destroy();
  }
  if (rest !== '') yield rest.endsWith('\r') ? rest.slice(0, -1) : rest;
}

/** Opens the file as text, through gunzip when it starts with gzip's magic. */
async function openText(path: string): Promise<Readable> {
  const compressed = await isGzip(path);
  const file = createReadStream(path);
  if (!compressed) return file.setEncoding('utf8');
  const gunzip = createGunzip();
  file.on('error', (error) => gunzip.destroy(error));
  gunzip.on('close', () => file.destroy());
  return file.pipe(gunzip).setEncoding('utf8');
}

async function isGzip(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
      return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new TransferFileError('unreadable', path, 0, `cannot open it: ${(error as Error).message}`);
  }
}

function quote(value: string): string {
  return JSON.stringify(value.length > QUOTED_SIZE_MAX ? `${value.slice(0, QUOTED_SIZE_MAX)}...` : value);
}
