/** Key files: mode, exclusivity, and every way one can be wrong. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeBase58 } from '../../src/codec/index.ts';
import { freshSeed, KeyFileError, readKeyFile, readSeed, writeKeyFile } from '../../src/node/key-file.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cairn-key-'));
  file = join(folder, 'key.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SEED = Uint8Array.from({ length: 32 }, (_, index) => index);

async function refusal(attempt: Promise<unknown>): Promise<KeyFileError> {
  const error = await attempt.then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(KeyFileError);
  return error as KeyFileError;
}

describe('writing', () => {
  it('makes a file only its owner can read, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      await writeKeyFile(file, SEED);
    } finally {
      process.umask(before);
    }
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('never overwrites', async () => {
    await writeKeyFile(file, SEED);
    const content = readFileSync(file, 'utf8');
    const error = await refusal(writeKeyFile(file, freshSeed()));
    expect(error).toMatchObject({ code: 'exists', file });
    expect(readFileSync(file, 'utf8')).toBe(content);
  });

  it('reads back the same key', async () => {
    const written = await writeKeyFile(file, SEED);
    const read = await readKeyFile(file);
    expect(read.publicKey).toEqual(written.publicKey);
    expect(await readSeed(file)).toEqual(SEED);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      type: 'cairn-ed25519',
      publicKey: encodeBase58(written.publicKey),
      seed: encodeBase58(SEED),
    });
  });

  it('names a folder that is not there', async () => {
    expect((await refusal(writeKeyFile(join(folder, 'no', 'key.json'), SEED))).code).toBe('unreadable');
  });
});

describe('reading', () => {
  it.each([0o640, 0o604, 0o660, 0o620, 0o601])('refuses mode %o and says how to mend it', async (mode) => {
    await writeKeyFile(file, SEED);
    chmodSync(file, mode);
    const error = await refusal(readKeyFile(file));
    expect(error.code).toBe('open-to-others');
    expect(error.message).toContain(`0${mode.toString(8)}`);
    expect(error.message).toContain(`chmod 600 ${file}`);
  });

  it('says that there is none', async () => {
    expect((await refusal(readKeyFile(file))).code).toBe('not-found');
    expect(existsSync(file)).toBe(false);
  });

  const good = { type: 'cairn-ed25519', publicKey: '', seed: encodeBase58(SEED) };
  it.each([
    ['text that is not JSON', '{"seed": "abc', 'is not JSON'],
    ['another type', JSON.stringify({ ...good, type: 'ssh' }), 'type'],
    ['a missing seed', JSON.stringify({ type: good.type, publicKey: '' }), 'seed'],
    ['an unknown field', JSON.stringify({ ...good, note: 1 }), 'note'],
    ['a short seed', JSON.stringify({ ...good, seed: 'abc' }), 'seed must be base58 of 32 bytes'],
    ['a seed that is not base58', JSON.stringify({ ...good, seed: '0OIl' }), 'seed must be base58'],
    ['another key', JSON.stringify({ ...good, publicKey: encodeBase58(SEED) }), 'not the public key of seed'],
    ['a huge file', JSON.stringify({ ...good, publicKey: 'x'.repeat(5000) }), 'at most 4096'],
  ])('refuses %s without quoting the secret', async (_, content, reason) => {
    writeFileSync(file, content, { mode: 0o600 });
    const error = await refusal(readKeyFile(file));
    expect(error.code).toBe('invalid');
    expect(error.message).toContain(reason);
    expect(error.message).not.toContain(good.seed);
    expect(error.message).not.toContain('abc');
  });
});
