/** `cairn replication status`: how every segment stands against the replication target, and what replicas earned. */
import type { Command } from 'commander';
import { CairnClient } from '../../rpc/client.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommonOptions, newCommand, newGroup, printResult, type RpcOptions, withRpc } from '../command.ts';

interface Options extends RpcOptions, CommonOptions {
  readonly segment?: number;
}

/** Rows shown to people; JSON has all. */
const LINES_MAX = 60;
const SEGMENT_MAX = 0xffff_ffff;

export function replicationCommand(): Command {
  const command = newGroup('replication', 'how well history is replicated, and who is paid for it', [
    ['cairn replication status', 'proven replicas of each segment against the target'],
    ['cairn replication status --segment 3', 'the replicas of one segment: misses, pay, last rejection'],
  ]);
  return command.addCommand(statusCommand());
}

function statusCommand(): Command {
  const command = newCommand('status', 'proven replicas of each segment against the target', [
    ['cairn replication status', 'all segments'],
    ['cairn replication status --segment 3 --json', 'the replicas of one segment'],
  ]).option('--segment <number>', 'one segment, with its replicas', wholeNumber(0, SEGMENT_MAX));
  return withRpc(command).action(run);
}

async function run(options: Options): Promise<void> {
  const client = new CairnClient(options.rpc);
  const { segment } = options;
  const view = await client.standings(segment ?? 0, segment === undefined ? undefined : 1);
  const replicas = segment === undefined ? null : (await client.replication({ segment })).replicas;
  printResult(options, replicas === null ? view : { ...view, rows: replicas }, [
    `${view.segments} segments, ${view.target} replicas wanted of each; below target ${view.belowTarget}, without a proven replica ${view.atRisk}`,
    ...table(view.standings),
    ...(replicas ?? []).map(
      ({ identity, rotation, accepted, rejected, misses, paid, proof, reason }) =>
        `  ${identity}  rotation ${rotation}, accepted ${accepted}, rejected ${rejected}, missed ${misses}, paid ${paid} times, last proof ${proof}` +
        (rejected > 0 ? ` (last rejected: ${reason})` : ''),
    ),
  ]);
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
