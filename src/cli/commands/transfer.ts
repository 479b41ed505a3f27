/** `cairn transfer`: moves units and waits until the transfer is final. */
import type { Command } from 'commander';
import { readKeyFile } from '../../node/key-file.ts';
import { buildTransfer, CairnClient } from '../../rpc/client.ts';
import { addressText, amountUnits } from '../arguments.ts';
import { newCommand, printResult, type SubmitOptions, withSubmit } from '../command.ts';
import { freshCounter, submitAndWait } from './submit.ts';

interface Options extends SubmitOptions {
  readonly to: string;
  readonly amount: bigint;
}

export function transferCommand(): Command {
  const command = newCommand('transfer', 'sign a transfer, submit it and wait until it is final', [
    ['cairn transfer --key key.json --to cairn1... --amount 1000', 'pays the default fee'],
    ['cairn transfer --key key.json --to cairn1... --amount 1000 --fee 50 --json', 'for scripts'],
  ]);
  return withSubmit(command, "the sender's key file")
    .requiredOption('--to <address>', 'the recipient, a cairn1... address', addressText)
    .requiredOption('--amount <units>', 'how much, in the smallest unit', amountUnits)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const key = await readKeyFile(options.key);
  const client = new CairnClient(options.rpc);
  const { to, amount, fee, timeout } = options;
  const blockhash = await client.latestBlockhash();
  const transaction = buildTransfer({ key, to, amount, fee, counter: freshCounter(), blockhash });
  const final = await submitAndWait(client, transaction, timeout);
  printResult(options, { ...final, to, amount, fee }, [
    `final at height ${final.height}, slot ${final.slot}, before PoH count ${final.pohCount}`,
    `transaction ${final.id}`,
  ]);
}
