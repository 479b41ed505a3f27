/** `cairn timestamp`: puts a file's digest into the PoH sequence and keeps the proof that it was there. */
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import { amount, pohCount } from '../../../native/index.ts';
import { encodeHex, signTransaction } from '../../codec/index.ts';
import { readKeyFile } from '../../node/key-file.ts';
import { walletHasher } from '../../rpc/build-transfer.ts';
import { CairnClient } from '../../rpc/client.ts';
import { newCommand, printResult, type SubmitOptions, withSubmit } from '../command.ts';
import { unusable } from '../failure.ts';
import { fileDigest } from './file-digest.ts';
import { freshCounter, submitAndWait } from './submit.ts';

interface Options extends SubmitOptions {
  readonly out?: string;
}

export function timestampCommand(): Command {
  const command = newCommand('timestamp', "put a file's SHA-256 into the sequence and save the proof", [
    ['cairn timestamp thesis.pdf --key key.json', 'writes thesis.pdf.cairn-proof'],
    ['cairn verify timestamp thesis.pdf thesis.pdf.cairn-proof --trust HASH', 'checks it later, offline'],
  ]);
  return withSubmit(command, 'key file of the account that pays the fee')
    .argument('<file>', 'any file; only its digest leaves this machine')
    .option('--out <file>', 'where to write the proof (default: FILE.cairn-proof)')
    .action(run);
}

async function run(file: string, options: Options): Promise<void> {
  const out = options.out ?? `${file}.cairn-proof`;
  // Before anything is paid for.
  if (existsSync(out)) throw unusable(`${out} is there already and is never overwritten; name another with --out`);
  const key = await readKeyFile(options.key);
  const digest = await fileDigest(file);
  const client = new CairnClient(options.rpc);
  const { pohHash, pohCount: count } = await client.latestBlockhash();
  const transaction = signTransaction(
    walletHasher,
    {
      lastValidHash: pohHash.subarray(0, 20),
      lastValidCount: pohCount(count),
      payload: { kind: 'timestamp', digest },
      counter: freshCounter(),
      fee: amount(options.fee),
    },
    key,
  );
  const final = await submitAndWait(client, transaction, options.timeout);
  await writeNew(out, await client.timestampProof(final.id));
  printResult(options, { ...final, file, digest: encodeHex(digest), proof: out }, [
    `${file} existed before PoH count ${final.pohCount} (height ${final.height})`,
    `proof  ${out}`,
    `check  cairn verify timestamp ${file} ${out} --trust ${final.blockHash}`,
  ]);
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unusable(`cannot write the proof to ${path}: ${(error as Error).message}`);
  }
}
