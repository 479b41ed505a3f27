/** `cairn balance`: what an address holds, in finalized state. */
import type { Command } from 'commander';
import { CairnClient } from '../../rpc/client.ts';
import { addressText } from '../arguments.ts';
import { newCommand, printResult, type RpcOptions, withRpc } from '../command.ts';

export function balanceCommand(): Command {
  const command = newCommand('balance', 'show the finalized balance of an address', [
    ['cairn balance cairn1... --rpc http://127.0.0.1:8899', 'in the smallest unit'],
    ['cairn balance $(cairn address key.json)', 'of your own key'],
  ]);
  return withRpc(command).argument('<address>', 'a cairn1... address', addressText).action(run);
}

async function run(address: string, options: RpcOptions): Promise<void> {
  const balance = await new CairnClient(options.rpc).balance(address, { commitment: 'finalized' });
  printResult(options, { address, balance }, [balance.toString()]);
}
