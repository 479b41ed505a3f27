/** `cairn keygen`: makes a secret key file. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { encodeBase58, formatAddress } from '../../codec/index.ts';
import { freshSeed, writeKeyFile } from '../../node/key-file.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';

interface Options extends CommonOptions {
  readonly out: string;
}

export function keygenCommand(): Command {
  return newCommand('keygen', 'make a new Ed25519 key, in a file only you can read', [
    ['cairn keygen --out key.json', 'never overwrites a file'],
  ])
    .requiredOption('--out <file>', 'file to create')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const key = await writeKeyFile(options.out, freshSeed());
  const file = resolve(options.out);
  const publicKey = encodeBase58(key.publicKey);
  const address = formatAddress(key.address);
  printResult(options, { file, publicKey, address }, [
    `key file    ${file} (keep it secret; there is no other copy)`,
    `public key  ${publicKey}`,
    `address     ${address}`,
  ]);
}
