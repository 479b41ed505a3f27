/** `cairn address`: the address of a key. */
import type { Command } from 'commander';
import { addressOf, encodeBase58, formatAddress, parsePublicKey } from '../../codec/index.ts';
import { readKeyFile } from '../../node/key-file.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { unusable } from '../failure.ts';

interface Options extends CommonOptions {
  readonly publicKey?: string;
}

export function addressCommand(): Command {
  return newCommand('address', 'show the address of a key file or of a public key', [
    ['cairn address key.json', 'of a key file'],
    ['cairn address --public-key 4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS', 'of a public key in base58'],
  ])
    .argument('[keyFile]', 'a file made by cairn keygen')
    .option('--public-key <base58>', 'a public key instead of a file')
    .action(run);
}

async function run(keyFile: string | undefined, options: Options): Promise<void> {
  if ((keyFile === undefined) === (options.publicKey === undefined))
    throw unusable('name either a key file or --public-key, for example: cairn address key.json');
  const publicKey =
    keyFile === undefined
      ? parsePublicKey(options.publicKey ?? '', '--public-key')
      : (await readKeyFile(keyFile)).publicKey;
  const address = formatAddress(addressOf(publicKey));
  printResult(options, { publicKey: encodeBase58(publicKey), address }, [address]);
}
