/** `cairn status`: one page about a node. */
import type { Command } from 'commander';
import { CairnClient, type StatusView } from '../../rpc/client.ts';
import { newCommand, printResult, type RpcOptions, withRpc } from '../command.ts';

export function statusCommand(): Command {
  const command = newCommand('status', 'show what a validator or archive says of itself', [
    ['cairn status', 'one page; does it vote, and if not, why and until when'],
    ['cairn status --json', 'all of it, as cairn_getStatus answers'],
  ]);
  return withRpc(command).action(run);
}

async function run(options: RpcOptions): Promise<void> {
  const status = await new CairnClient(options.rpc).status();
  if (status.consensus.conflict !== null) process.exitCode = 1;
  const { role, publicKey, health, head, justified, finalized, leader, isLeader, peers, consensus } = status;
  printResult(options, status, [
    `${role}${publicKey === null ? '' : ` ${publicKey}`}, ${health.ok ? 'healthy' : `NOT HEALTHY: ${health.reason}`}`,
    `best ${head.height} (slot ${head.slot}), justified ${justified.height}, final ${finalized.height}, ${peers} peers`,
    `leader ${isLeader ? 'this node' : (leader ?? 'not known')}`,
    `epoch ${consensus.epoch}, era ${consensus.era}, ${consensus.members} validators${excluded(consensus)}`,
    votingLine(status),
    ...conflictLines(consensus),
  ]);
}

function excluded({ excluded: count }: StatusView['consensus']): string {
  return count === 0 ? '' : `, ${count} of them excluded for absence`;
}

/** Whether it votes; if not, why, and until when. */
export function votingLine({ role, consensus, publicKey }: StatusView): string {
  if (publicKey === null) return `an ${role} does not vote`;
  const { silence, isMember } = consensus;
  if (silence?.reason === 'twin')
    return 'REFUSES to vote and lead: another process votes with this key. End one of them, keep the votes file of the other';
  if (silence?.reason === 'conflict') return 'REFUSES to vote and lead: finality has split, see below';
  if (silence?.reason === 'votesLost') return votesLostLine(silence.untilSlot);
  return isMember
    ? 'votes and leads'
    : 'not among the validators: bond it, or wait until its bond enters (cairn validators)';
}

function votesLostLine(untilSlot: number | null): string {
  const until =
    untilSlot === null ? 'until it has heard how far its peers are' : `until a block above slot ${untilSlot} is final`;
  return `REFUSES to vote and lead ${until}: its files votes and produced-slot were not there at its start`;
}

function conflictLines({ conflict }: StatusView['consensus']): string[] {
  if (conflict === null) return [];
  return [
    `FINALITY HAS SPLIT: another block of slot ${conflict.slot}, ${conflict.hash}, was made final as well. More than 1/3 of the bonds have cheated;`,
    'their votes are the proof (log). Decide which chain to trust, and sync a new node to it with cairn sync --trust.',
  ];
}
