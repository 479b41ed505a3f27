/** SHA-256 of a file, streamed. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Hash, hash } from '../../../native/index.ts';
import { unusable } from '../failure.ts';
import { withProgress } from '../progress.ts';

/** @throws CommandFailure (exit code 2) when the file cannot be read */
export async function fileDigest(file: string): Promise<Hash> {
  try {
    const { size } = await stat(file);
    return await withProgress(`hashing ${file}, bytes`, async (progress) => {
      const digest = createHash('sha256');
      let done = 0;
      for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
        digest.update(chunk);
        done += chunk.length;
        progress.update(done, size);
      }
      return hash(new Uint8Array(digest.digest()));
    });
  } catch (error) {
    throw unusable(`cannot read ${file}: ${(error as Error).message}`);
  }
}
