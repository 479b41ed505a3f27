/**
 * A table's secret: 16 random bytes of this node and their CRC-32C, in the file `secret`. They decide slots, so nobody else can aim
 * collisions, nor fill one shard.
 */
import { randomBytes } from 'node:crypto';
import type { Kernels } from '../../native/index.ts';
import { type Files, readWhole, writeWhole } from '../files/files.ts';

export const SECRET_SIZE_BYTES = 16;

export interface SecretOptions {
  readonly directory: string;
  readonly files: Files;
  readonly kernels: Pick<Kernels, 'crc32c'>;
  /** Source of the secret; replaced in simulations. */
  readonly randomBytes?: (sizeBytes: number) => Uint8Array;
}

export const secretPath = ({ directory }: SecretOptions): string => `${directory}/secret`;

/** The stored secret; undefined when there is none that is whole. */
export async function readSecret(options: SecretOptions): Promise<Uint8Array | undefined> {
  const { files, kernels } = options;
  const path = secretPath(options);
  if (!(await files.exists(path))) return undefined;
  const stored = await readWhole(files, path, 64);
  if (stored.length !== SECRET_SIZE_BYTES + 4) return undefined;
  const secret = stored.slice(0, SECRET_SIZE_BYTES);
  const crc = new DataView(stored.buffer, stored.byteOffset).getUint32(SECRET_SIZE_BYTES, true);
  return crc === kernels.crc32c(secret) ? secret : undefined;
}

/** Makes and stores a secret. */
export async function makeSecret(options: SecretOptions): Promise<Uint8Array> {
  const secret = new Uint8Array((options.randomBytes ?? randomBytes)(SECRET_SIZE_BYTES));
  const bytes = new Uint8Array(SECRET_SIZE_BYTES + 4);
  bytes.set(secret, 0);
  new DataView(bytes.buffer).setUint32(SECRET_SIZE_BYTES, options.kernels.crc32c(secret), true);
  await writeWhole(options.files, secretPath(options), bytes);
  return secret;
}
