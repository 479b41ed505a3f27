/** `cairn prove account`: asks a node for the proof of an account in its newest final state, and keeps it. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { CairnClient } from '../../rpc/client.ts';
import { addressText } from '../arguments.ts';
import { newCommand, printResult, type RpcOptions, withRpc } from '../command.ts';
import { unusable } from '../failure.ts';

interface Options extends RpcOptions {
  readonly out?: string;
}

export function proveAccountCommand(): Command {
  const command = newCommand('account', "save the proof of an account's balance, to be checked offline", [
    ['cairn prove account cairn1...', 'writes cairn1....cairn-account'],
    ['cairn verify account cairn1....cairn-account --trust HEIGHT:HASH', 'checks it, against a block you trust'],
  ]);
  return withRpc(command)
    .argument('<address>', 'the account, bech32m', addressText)
    .option('--out <file>', 'where to write the proof (default: ADDRESS.cairn-account)')
    .action(run);
}

async function run(address: string, options: Options): Promise<void> {
  const out = options.out ?? `${address}.cairn-account`;
  if (existsSync(out)) throw unusable(`${out} is there already and is never overwritten; name another with --out`);
  const { height, hash, proof } = await new CairnClient(options.rpc).accountProof(address);
  try {
    await writeFile(out, proof, { flag: 'wx' });
  } catch (error) {
    throw unusable(`cannot write the proof to ${out}: ${(error as Error).message}`);
  }
  printResult(options, { address, height, hash, proof: out, sizeBytes: proof.length }, [
    `proof  ${out} (${proof.length} bytes), of the state after block ${height}`,
    `check  cairn verify account ${out} --trust ${height}:${hash}`,
    'The node says that this is the block; ask one that you trust whether it is.',
  ]);
}
