/** `cairn replication`: how every segment stands against the replication target, what replicas earned; and (replication-life.ts) how a replicator leaves. */
import type { Command } from 'commander';
import { CairnClient } from '../../rpc/client.ts';
import { addressText, wholeNumber } from '../arguments.ts';
import { type CommonOptions, newCommand, newGroup, printResult, type RpcOptions, withRpc } from '../command.ts';
import { failed } from '../failure.ts';
import { reportCommand, unregisterCommand, withdrawDepositCommand } from './replication-life.ts';

interface Options extends RpcOptions, CommonOptions {
  readonly segment?: number;
  readonly identity?: string;
}

/** Rows shown to people; JSON has all. */
const LINES_MAX = 60;
const SEGMENT_MAX = 0xffff_ffff;

export function replicationCommand(): Command {
  const command = newGroup('replication', 'how well history is replicated, and who is paid for it', [
    ['cairn replication status', 'proven replicas of each segment against the target'],
    ['cairn replication status --segment 3', 'the replicas of one segment: misses, pay, last rejection'],
    ['cairn replication unregister --key key.json', 'leave; cairn replication withdraw brings the deposit back'],
  ]);
  const commands = [statusCommand(), unregisterCommand(), withdrawDepositCommand(), reportCommand()];
  for (const one of commands) command.addCommand(one);
  return command;
}

function statusCommand(): Command {
  const command = newCommand('status', 'proven replicas of each segment against the target', [
    ['cairn replication status', 'all segments'],
    ['cairn replication status --segment 3 --json', 'the replicas of one segment'],
    ['cairn replication status --identity cairn1...', 'one replicator: deposit, rewards, replicas'],
  ])
    .option('--segment <number>', 'one segment, with its replicas', wholeNumber(0, SEGMENT_MAX))
    .option('--identity <address>', 'one replicator, with its replicas', addressText);
  return withRpc(command).action(run);
}

async function run(options: Options): Promise<void> {
  const client = new CairnClient(options.rpc);
  if (options.identity !== undefined) return showIdentity(options, client, options.identity);
  const { segment } = options;
  const view = await client.standings(segment ?? 0, segment === undefined ? undefined : 1);
  const replicas = segment === undefined ? null : (await client.replication({ segment })).replicas;
  printResult(options, replicas === null ? view : { ...view, rows: replicas }, [
    `${view.segments} segments, ${view.target} replicas wanted of each; below target ${view.belowTarget}, without a proven replica ${view.atRisk}`,
    ...table(view.standings),
    ...(replicas ?? []).map((row) => `  ${row.identity}  ${replicaLine(row)}`),
  ]);
}

async function showIdentity(options: Options, client: CairnClient, identity: string): Promise<void> {
  const { segment } = options;
  const filter = segment === undefined ? { identity } : { identity, segment };
  const { identities, replicas, totals } = await client.replication(filter);
  const [row] = identities;
  if (row === undefined) throw failed(`${identity} is not registered as a replicator`);
  const { period, rotation } = totals;
  const leaving = row.freePeriod === null ? '' : `; unregistered, to be withdrawn from period ${row.freePeriod} on`;
  printResult(options, { period, rotation, ...row, rows: replicas }, [
    `${row.replicas} replicas, deposit ${row.deposit}, rewards ${row.paid} of which ${row.locked} locked; this is period ${period}${leaving}`,
    ...replicas.map((replica) => `  segment ${replica.segment}  ${replicaLine(replica)}`),
  ]);
}

type ReplicaView = Awaited<ReturnType<CairnClient['replication']>>['replicas'][number];

function replicaLine({ rotation, accepted, rejected, misses, paid, proof, reason, isLapsed }: ReplicaView): string {
  return (
    `rotation ${rotation}, accepted ${accepted}, rejected ${rejected}, missed ${misses}${isLapsed ? ' (LAPSED)' : ''}, paid ${paid} times, last proof ${proof}` +
    (rejected > 0 ? ` (last rejected: ${reason})` : '')
  );
}

type Row = Awaited<ReturnType<CairnClient['standings']>>['standings'][number];

function table(rows: readonly Row[]): string[] {
  const head = 'segment  proven/target  committed  pending  missed  paid  last proof';
  const lines = rows.slice(0, LINES_MAX).map((row) => {
    const age = row.proofAgePeriods === null ? 'never' : `${row.proofAgePeriods} periods ago`;
    const risk = row.isAtRisk ? '  AT RISK' : row.isBelowTarget ? '  below target' : '';
    const proven = `${row.proven}/${row.target}`;
    return (
      `${String(row.segment).padStart(7)}  ${proven.padStart(13)}  ${String(row.replicas).padStart(9)}  ${String(row.pending).padStart(7)}` +
      `  ${String(row.misses).padStart(6)}  ${String(row.paid).padStart(4)}  ${age}${risk}`
    );
  });
  const more = rows.length - lines.length;
  return rows.length === 0 ? [] : [head, ...lines, ...(more > 0 ? [`  ... ${more} more: --json has all`] : [])];
}
