/**
 * Secret keys on disk: one Ed25519 seed a file, as JSON `{ "type": "cairn-ed25519", "publicKey": base58, "seed": base58 }`.
 *
 * Invariants
 * - A key file is created exclusively (never over another file), with mode 0600, and synced with its folder before its key is used.
 * - A file that its group or others can read, write or execute is refused: the key may be known already.
 * - What is read is bounded (FILE_SIZE_MAX) and checked whole; the public key must be the seed's own.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { decodeBase58, encodeBase58, SEED_SIZE_BYTES, type SigningKey, signingKey } from '../codec/index.ts';

/** Value of a key file's `type`. */
export const KEY_FILE_TYPE = 'cairn-ed25519';
const FILE_MODE = 0o600;
const OTHERS_MASK = 0o077;
const FILE_SIZE_MAX = 4096;

export type KeyFileErrorCode = 'exists' | 'not-found' | 'unreadable' | 'open-to-others' | 'invalid';

/** A key file that cannot be made or used; the message says what to do. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
  readonly code: KeyFileErrorCode;
  readonly file: string;
  constructor(code: KeyFileErrorCode, file: string, message: string) {
    super(`key file ${file}: ${message}`);
    this.code = code;
    this.file = file;
  }
}

const keyFileSchema = z.strictObject({ type: z.literal(KEY_FILE_TYPE), publicKey: z.string(), seed: z.string() });

/** 32 fresh secret bytes from the system's generator. */
export function freshSeed(): Uint8Array {
  return new Uint8Array(randomBytes(SEED_SIZE_BYTES));
}

/**
 * Writes a seed to a new file and returns its key.
 * @param seed 32 secret bytes, borrowed
 * @throws KeyFileError `exists` when there is a file already; it is left as it is
 */
export async function writeKeyFile(path: string, seed: Uint8Array): Promise<SigningKey> {
  const key = signingKey(seed);
  const content = { type: KEY_FILE_TYPE, publicKey: encodeBase58(key.publicKey), seed: encodeBase58(seed) };
  const file = await create(path);
  try {
    await file.writeFile(`${JSON.stringify(content, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(dirname(path));
  return key;
}

/** Reads a key file. @throws KeyFileError */
export async function readKeyFile(path: string): Promise<SigningKey> {
  return signingKey(await readSeed(path));
}

/** The secret seed in a key file, for what needs the seed itself (the VRF, the network identity). @throws KeyFileError */
export async function readSeed(path: string): Promise<Uint8Array> {
  const file = await openExisting(path);
  try {
    const { mode, size } = await file.stat();
    if ((mode & OTHERS_MASK) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      throw new KeyFileError(
        'open-to-others',
        path,
        `its mode is ${found}, others may know the key; run: chmod 600 ${path}`,
      );
    }
    if (size > FILE_SIZE_MAX)
      throw new KeyFileError('invalid', path, `is ${size} bytes; a key file has at most ${FILE_SIZE_MAX}`);
    return parse(path, await file.readFile('utf8'));
  } finally {
    await file.close();
  }
}

function parse(path: string, text: string): Uint8Array {
  const content = keyFileSchema.safeParse(json(path, text));
  if (!content.success) {
    const [issue] = content.error.issues;
    const field = issue?.path.join('.') || 'the file';
    throw new KeyFileError('invalid', path, `${field}: ${issue?.message}; make one with: cairn keygen`);
  }
  const seed = decoded(path, content.data.seed, 'seed');
  const stated = decoded(path, content.data.publicKey, 'publicKey');
  if (!Buffer.from(signingKey(seed).publicKey).equals(stated))
    throw new KeyFileError('invalid', path, 'publicKey is not the public key of seed: the file was altered or damaged');
  return seed;
}

function json(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be secret.
    throw new KeyFileError('invalid', path, 'is not JSON; make one with: cairn keygen');
  }
}

function decoded(path: string, text: string, field: string): Uint8Array {
  try {
    return decodeBase58(text, SEED_SIZE_BYTES, field);
  } catch {
    throw new KeyFileError('invalid', path, `${field} must be base58 of ${SEED_SIZE_BYTES} bytes`);
  }
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', FILE_MODE);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new KeyFileError('exists', path, 'is there already and is never overwritten; choose another path');
    throw new KeyFileError('unreadable', path, `cannot be created: ${message}`);
  }
}

async function openExisting(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new KeyFileError('not-found', path, 'does not exist; make one with: cairn keygen');
    throw new KeyFileError('unreadable', path, `cannot be opened: ${message}`);
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
