/** The transfer reader, the replay's plan and its independent recomputation, on hand-made files and on the real one. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EthereumRow, readEthereumRows, TransferFileError } from '../../tools/workload/ethereum-file.ts';
import { ethereumSeed, planEthereumReplay } from '../../tools/workload/ethereum-plan.ts';
import { recomputeFromFile } from '../../tools/workload/recompute.ts';

const REAL_FILE = join(
  dirname(fileURLToPath(import.meta.url)),
  '../../../shared/data/ethereum-transfers-2017-03.csv.gz',
);
const A = `0x${'a'.repeat(40)}`;
const B = `0x${'b'.repeat(40)}`;
const C = `0x${'c'.repeat(40)}`;
const HEADER = 'from_address,to_address,value';
const GWEI = '000000000';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cairn-workload-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(content: string | Uint8Array): string {
  const path = join(folder, `${createHash('sha256').update(content).digest('hex').slice(0, 16)}.csv`);
  writeFileSync(path, content);
  return path;
}

async function rows(path: string): Promise<EthereumRow[]> {
  const all: EthereumRow[] = [];
  for await (const row of readEthereumRows(path)) all.push(row);
  return all;
}

async function failure(path: string): Promise<TransferFileError> {
  const error = await rows(path).then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(TransferFileError);
  return error as TransferFileError;
}

describe('the reader', () => {
  it('finds columns by name, in any order, among others', async () => {
    const path = file(`hash,value,to_address,block,from_address\n0x1,5,${B},7,${A}\n`);
    expect(await rows(path)).toEqual([{ line: 2, from: A, to: B, valueWei: '5' }]);
  });

  it('reads gzip, CRLF, quotes, a byte order mark and a missing last newline', async () => {
    const text = `\uFEFF"from_address",to_address,note,value\r\n${A.toUpperCase().replace('0X', '0x')},${B},"a, ""b""",1\r\n${A},,x,0`;
    const expected = [
      { line: 2, from: A, to: B, valueWei: '1' },
      { line: 3, from: A, to: null, valueWei: '0' },
    ];
    expect(await rows(file(text))).toEqual(expected);
    expect(await rows(file(gzipSync(text)))).toEqual(expected);
  });

  it('reads lines that span the chunks of a file', async () => {
    const count = 3000;
    const text = `${HEADER}\n${Array.from({ length: count }, (_, i) => `${A},${B},${i}`).join('\n')}\n`;
    const all = await rows(file(gzipSync(text)));
    expect(all.map((row) => row.valueWei)).toEqual(Array.from({ length: count }, (_, i) => String(i)));
    expect(all.at(-1)?.line).toBe(count + 1);
  });

  it.each([
    ['a short row', `${A},${B}`, 'expected 3 fields as in the header, found 2'],
    ['a long row', `${A},${B},1,2`, 'found 4'],
    ['an empty line', '', 'found 1'],
    ['a bad sender', `0x12,${B},1`, 'from_address must be 0x and 40 hex digits, found "0x12"'],
    ['an empty sender', `,${B},1`, 'from_address'],
    ['a bad recipient', `${A},${B}0,1`, 'to_address'],
    ['a negative value', `${A},${B},-1`, 'value must be a whole number of wei'],
    ['a fraction', `${A},${B},1.5`, 'found "1.5"'],
    ['an exponent', `${A},${B},1E18`, 'found "1E18"'],
    ['an empty value', `${A},${B},`, 'found ""'],
    ['a value past 2^256', `${A},${B},${(1n << 256n).toString()}`, '2^256 - 1'],
    ['an open quote', `${A},${B},"1`, 'quote'],
  ])('stops at %s with file, line and reason', async (_, bad, reason) => {
    const path = file(`${HEADER}\n${A},${B},1\n${bad}\n${A},${B},1\n`);
    const error = await failure(path);
    expect(error).toMatchObject({ code: 'bad-row', line: 3, file: path });
    expect(error.message).toContain(`${path}, line 3: `);
    expect(error.message).toContain(reason);
  });

  it('refuses a header without a needed column, with one twice, and an empty file', async () => {
    expect((await failure(file(`from_address,value\n`))).message).toContain('no column named to_address');
    expect((await failure(file(`${HEADER},value\n`))).message).toContain('two columns are named value');
    expect(await failure(file(''))).toMatchObject({ code: 'bad-header', line: 1 });
  });

  it('refuses a missing file and a gzip file that ends early', async () => {
    expect(await failure(join(folder, 'absent.csv'))).toMatchObject({ code: 'unreadable', line: 0 });
    const whole = gzipSync(`${HEADER}\n${`${A},${B},1\n`.repeat(5000)}`);
    expect((await failure(file(whole.subarray(0, whole.length - 20)))).code).toBe('unreadable');
  });

  it('bounds the length of a line', async () => {
    const error = await failure(file(gzipSync(`${HEADER}\n${'x'.repeat(5 * 1024 * 1024)}`)));
    expect(error.message).toContain('longer than');
  });
});

describe('the plan', () => {
  const text = [
    `${HEADER}`,
    `${A},${B},5${GWEI}`,
    `${A},${C},7999999999`,
    `${B},${A},999999999`,
    `${B},${A},0`,
    `${C},,0`,
    `${C},,5${GWEI}`,
    `${C},${C},2${GWEI}`,
  ].join('\n');

  it('takes whole gwei, and counts what it skips by its reason', async () => {
    const plan = await planEthereumReplay(file(text), 3n);
    expect(plan.counts).toEqual({ rows: 7, transfers: 3, zeroValue: 2, belowOneGwei: 1, contractCreations: 1 });
    expect(plan.accounts.map((account) => [account.name, account.genesis])).toEqual([
      [A, 5n + 7n + 6n],
      [B, 0n],
      [C, 2n + 3n],
    ]);
    expect([0, 1, 2].map((index) => plan.next(index))).toEqual([
      { from: 0, to: 1, amount: 5n },
      { from: 0, to: 2, amount: 7n },
      { from: 2, to: 2, amount: 2n },
    ]);
  });

  it('derives keys from the tag and the address bytes', () => {
    const expected = createHash('sha256')
      .update(Buffer.concat([Buffer.from('cairn/ethereum-key/1'), Buffer.alloc(20, 0xaa)]))
      .digest('hex');
    expect(Buffer.from(ethereumSeed(A)).toString('hex')).toBe(expected);
  });

  it('refuses totals past 2^64 - 1 at the row that reaches them', async () => {
    const half = `${(1n << 63n).toString()}${GWEI}`;
    await expect(
      planEthereumReplay(file(`${HEADER}\n${A},${B},${half}\n${A},${B},${half}\n`), 0n),
    ).rejects.toMatchObject({
      code: 'bad-row',
      line: 3,
    });
  });

  it('refuses a file in which nothing moves', async () => {
    await expect(planEthereumReplay(file(`${HEADER}\n${A},${B},0\n`), 0n)).rejects.toThrow('nothing to replay');
  });

  it('agrees with the recomputation by hand', async () => {
    const sums = await recomputeFromFile(file(text), 3n);
    expect([...sums]).toEqual([
      [A, { genesis: 18n, final: 0n, sent: 12n, received: 0n, transfersSent: 2, feesPaid: 6n }],
      [B, { genesis: 0n, final: 5n, sent: 0n, received: 5n, transfersSent: 0, feesPaid: 0n }],
      [C, { genesis: 5n, final: 9n, sent: 2n, received: 9n, transfersSent: 1, feesPaid: 3n }],
    ]);
  });
});

describe.skipIf(!existsSync(REAL_FILE))('the real file (../shared/data, skipped when absent)', () => {
  it('is read whole; plan and recomputation agree on every account', async () => {
    const plan = await planEthereumReplay(REAL_FILE, 10n);
    expect(plan.counts).toEqual({
      rows: 12_000,
      transfers: 11_094,
      zeroValue: 903,
      belowOneGwei: 3,
      contractCreations: 0,
    });
    const sums = await recomputeFromFile(REAL_FILE, 10n);
    expect(sums.size).toBe(plan.accounts.length);
    for (const account of plan.accounts) expect(sums.get(account.name)?.genesis).toBe(account.genesis);
    const total = [...sums.values()].reduce((sum, account) => sum + account.final + account.feesPaid, 0n);
    expect(total).toBe(plan.accounts.reduce((sum, account) => sum + account.genesis, 0n));
  });
});
