/**
 * Takes answers apart: each function gives the value in its type, or throws `ClientError` `bad-response` naming the member.
 */
import { ClientError } from './client-error.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(what, 'an object', value);
  return value as JsonObject;
}

export function asArray(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(what, 'an array', value);
  return value;
}

export function arrayOf(object: JsonObject, key: string): readonly unknown[] {
  return asArray(object[key], key);
}

export function stringOf(object: JsonObject, key: string): string {
  const value = object[key];
  if (typeof value !== 'string') throw wrong(key, 'a string', value);
  return value;
}

export function textOrNull(object: JsonObject, key: string): string | null {
  return object[key] === null ? null : stringOf(object, key);
}

/** A safe integer, at least 0. */
export function numberOf(object: JsonObject, key: string): number {
  const value = object[key];
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw wrong(key, 'a whole number', value);
  return value as number;
}

/** An amount: decimal digits, at most 20. */
export function amountOf(object: JsonObject, key: string): bigint {
  const text = stringOf(object, key);
  if (!/^\d{1,20}$/.test(text)) throw wrong(key, 'a decimal amount', text);
  return BigInt(text);
}

export function base64Of(object: JsonObject, key: string): Uint8Array {
  return new Uint8Array(Buffer.from(stringOf(object, key), 'base64'));
}

function wrong(what: string, wanted: string, found: unknown): ClientError {
  return new ClientError('bad-response', `${what} must be ${wanted}, found ${shown(found)}`);
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  return (JSON.stringify(value) ?? typeof value).slice(0, 80);
}
