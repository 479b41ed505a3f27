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
  const client = new CairnClient(options.rpc);
  const balance = await client.balance(address, { commitment: 'finalized' });
  const { evictions } = await client.evictions(address);
  const evicted = evictions.reduce((sum, one) => sum + (one.revived ? 0n : one.balance), 0n);
  const lines = [balance.toString()];
  if (evicted > 0n) lines.push(`and ${evicted} evicted for unpaid rent: take it back with cairn revive`);
  printResult(options, { address, balance, evicted }, lines);
}
