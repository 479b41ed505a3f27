/** `cairn bond`, `cairn unbond`, `cairn withdraw`: becoming a validator, ceasing to be one, and getting the bond back. */
import type { Command } from 'commander';
import { amount } from '../../../native/index.ts';
import { readKeyFile } from '../../node/key-file.ts';
import { type BondOrder, buildStake, CairnClient } from '../../rpc/client.ts';
import { amountUnits } from '../arguments.ts';
import { newCommand, printResult, type SubmitOptions, withSubmit } from '../command.ts';
import { freshCounter, submitAndWait } from './submit.ts';

interface BondOptions extends SubmitOptions {
  readonly amount: bigint;
}

const LIFE_OF_A_BOND = `
The life of a bond:
  1. cairn keygen --out key.json           a validator's key; its address must hold the bond and a fee
  2. cairn sync --config config.json ...   a node with that key, level with the chain
  3. cairn bond --key key.json --amount N  the units leave the account and wait
  4. At the first block of an epoch, once a block of the era before is final, waiting bonds enter the sets: from then on the node votes and leads.
     At most 1/8 of the set's weight enters and leaves an era. Watch it with: cairn validators
  5. cairn unbond --key key.json           asks to leave; the node must go on until it has left
  6. cairn withdraw --key key.json         the units come back, unbondingEpochs after it has left both sets

What a bond stands for: a validator that votes for two blocks of one slot, surrounds a vote, votes for a decoy, or signs two blocks for one slot loses
all of it to the reward pool. So: one process a key, and never without its files "votes" and "produced-slot".
A validator that is away for staleEpochsFast epochs leaves the sets, unpunished; its node asks to enter again by itself once it is back.`;

export function bondCommand(): Command {
  const command = newCommand('bond', "lock units as a validator's bond and wait until the transaction is final", [
    ['cairn bond --key net/validator-5/key.json --amount 1000000', "out of that key's account"],
    ['cairn bond --key key.json --amount 0', 'back in after an absence, on the bond that still stands'],
  ]);
  return withSubmit(command, "the validator's key file")
    .requiredOption('--amount <units>', 'how much, in the smallest unit', amountUnits)
    .addHelpText('after', LIFE_OF_A_BOND)
    .action((options: BondOptions) => send(options, { kind: 'bond', amount: amount(options.amount) }, bonded));
}

export function unbondCommand(): Command {
  const command = newCommand('unbond', 'ask to leave the validators', [
    [
      'cairn unbond --key net/validator-4/key.json',
      'it leaves at the beginning of an era: keep its node running until then',
    ],
  ]);
  return withSubmit(command, "the validator's key file")
    .addHelpText('after', LIFE_OF_A_BOND)
    .action((options: SubmitOptions) => send(options, { kind: 'unbond' }, () => 'asked to leave'));
}

export function withdrawCommand(): Command {
  const command = newCommand('withdraw', 'take a bond back that has left the sets long enough ago', [
    ['cairn withdraw --key net/validator-4/key.json', 'cairn validators says from which epoch on'],
  ]);
  return withSubmit(command, "the validator's key file")
    .addHelpText('after', LIFE_OF_A_BOND)
    .action((options: SubmitOptions) => send(options, { kind: 'withdraw' }, () => 'the bond is back in the account'));
}

const bonded = (payload: BondOrder): string =>
  payload.kind === 'bond' && payload.amount === 0n ? 'waits to enter again' : 'bonded; waits to enter the sets';

async function send(
  options: SubmitOptions,
  payload: BondOrder,
  describe: (payload: BondOrder) => string,
): Promise<void> {
  const key = await readKeyFile(options.key);
  const client = new CairnClient(options.rpc);
  const { fee, timeout } = options;
  const blockhash = await client.latestBlockhash();
  const transaction = buildStake({ key, payload, fee, counter: freshCounter(), blockhash });
  const final = await submitAndWait(client, transaction, timeout);
  printResult(options, { ...final, ...payload, fee }, [
    `${describe(payload)}: final at height ${final.height}, slot ${final.slot}`,
    `transaction ${final.id}`,
    'cairn validators shows where it stands',
  ]);
}
