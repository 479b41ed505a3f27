/** Parsers of options and arguments: each refuses with what was found and what would be right (commander prints it, exit code 2). */
import { InvalidArgumentError } from 'commander';
import { AMOUNT_MAX } from '../../native/index.ts';
import { parseAddress, parseHash } from '../codec/index.ts';
import { RENT_RATE_MAX } from '../ledger/index.ts';

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Longest duration taken: a month. */
const DURATION_MS_MAX = 31 * 24 * 3_600_000;

/** `500ms`, `60s`, `1.5m`, `2h` as milliseconds. */
export function durationMs(text: string): number {
  const match = DURATION.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? Number.NaN);
  if (!(value > 0 && value <= DURATION_MS_MAX))
    throw new InvalidArgumentError('It must be a duration such as 500ms, 60s, 5m or 2h, at most 31 days.');
  return value;
}

/** An amount in the smallest unit: decimal digits only. */
export function amountUnits(text: string): bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : -1n;
  if (value < 0n || value > AMOUNT_MAX)
    throw new InvalidArgumentError(`It must be a whole number of units within 0 .. ${AMOUNT_MAX}, digits only.`);
  return value;
}

/** A rate of rent in millionths of a unit a byte and block; returns its text without leading zeros. */
export function rentRate(text: string): string {
  const value = /^\d{1,13}$/.test(text) ? BigInt(text) : -1n;
  if (value < 0n || value > RENT_RATE_MAX)
    throw new InvalidArgumentError(`It must be a whole number within 0 .. ${RENT_RATE_MAX}, digits only.`);
  return value.toString();
}

const FACTORS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** `64M`, `32G` or bytes. */
export function byteSize(text: string): number {
  const match = /^(\d{1,13})([KMGT]?)$/.exec(text);
  const size = match === null ? 0 : Number(match[1]) * FACTORS[match[2] ?? '']!;
  if (!Number.isSafeInteger(size) || size < 1)
    throw new InvalidArgumentError('It must be a size in bytes such as 1048576, 64M or 32G.');
  return size;
}

/** A whole number within a range. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max))
      throw new InvalidArgumentError(`It must be a whole number within ${min} .. ${max}.`);
    return value;
  };
}

/** An address; returns its text, checked. */
export function addressText(text: string): string {
  return checked(() => {
    parseAddress(text, 'address');
    return text;
  });
}

/** A base58 hash; returns its text, checked. */
export function hashText(text: string): string {
  return checked(() => {
    parseHash(text, 'hash');
    return text;
  });
}

/** `HEIGHT:HASH`, a trusted block. */
export function trustedBlock(text: string): { readonly height: number; readonly hash: string } {
  const [heightText = '', hash = '', ...rest] = text.split(':');
  if (!/^\d{1,15}$/.test(heightText) || hash === '' || rest.length > 0)
    throw new InvalidArgumentError('It must be HEIGHT:HASH, the height in digits and the block hash in base58.');
  return { height: Number(heightText), hash: hashText(hash) };
}

/** An RPC address. */
export function rpcUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new InvalidArgumentError('It must be a URL such as http://127.0.0.1:8899.');
  return text;
}

function checked<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}
