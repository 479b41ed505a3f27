/** `cairn validators`: who has a bond, who votes, who is about to. */
import type { Command } from 'commander';
import { CairnClient, type ValidatorsRows } from '../../rpc/client.ts';
import { newCommand, printResult, type RpcOptions, withRpc } from '../command.ts';

type Row = ValidatorsRows['validators'][number];

const HELP = `
States: waiting (for the next era), active (votes and leads), leaving (still votes, until the next era), left.
Remarks: slashed, stale (away for too long), excluded (does not count until it has entered anew), missed N (epochs in a row).
Slots, epochs and eras are the chain's own time; one epoch is consensus.slotsPerEpoch slots.`;

export function validatorsCommand(): Command {
  const command = newCommand('validators', 'list the bonds as the last final block shows them', [
    ['cairn validators', 'heaviest first'],
    ['cairn validators --json', 'for scripts'],
  ]);
  return withRpc(command).addHelpText('after', HELP).action(run);
}

async function run(options: RpcOptions): Promise<void> {
  const view = await new CairnClient(options.rpc).validators();
  const { slot, epoch, era, majorityFloor, leader, secondary, validators } = view;
  printResult(options, view, [
    `slot ${slot}, epoch ${epoch}, era ${era}${majorityFloor ? ', some are excluded: more than half of all must vote' : ''}`,
    `leader ${leader ?? 'not known'}, secondary ${secondary ?? 'none'}`,
    ...validators.map(rowLine),
  ]);
}

function rowLine(row: Row): string {
  const { publicKey, units, stage, lastVoteSlot } = row;
  const vote = lastVoteSlot === null ? 'no vote seen' : `last vote for slot ${lastVoteSlot}`;
  return `${publicKey.padEnd(44)}  ${stage.padEnd(8)}${units.padStart(20)}  ${[...remarks(row), vote].join(', ')}`;
}

function remarks({ slashed, asked, stale, excluded, missedEpochs, fromEra, stage, freeEpoch }: Row): string[] {
  return [
    ...(slashed ? ['slashed'] : []),
    ...(asked ? ['asked to leave'] : []),
    ...(stale ? ['stale'] : []),
    ...(excluded ? ['excluded'] : []),
    ...(missedEpochs > 0 ? [`missed ${missedEpochs}`] : []),
    ...(stage === 'waiting' && fromEra !== null ? [`enters in era ${fromEra}`] : []),
    ...(freeEpoch === null ? [] : [`to be withdrawn from epoch ${freeEpoch} on`]),
  ];
}
