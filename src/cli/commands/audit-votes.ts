/** `cairn audit votes`: who voted when, how late, and whether it counted; who is stale or excluded, and why. From genesis and the blocks alone. */
import type { Command } from 'commander';
import { type Kernels, loadKernels } from '../../../native/index.ts';
import { type Block, decodeBlock, encodeBase58 } from '../../codec/index.ts';
import { type Genesis, readValidators, type ValidatorOverview } from '../../ledger/index.ts';
import { Replay } from '../../node/audit/replay.ts';
import { type AuditedVote, VoteAudit } from '../../node/audit/vote-audit.ts';
import { CairnClient } from '../../rpc/client.ts';
import { wholeNumber } from '../arguments.ts';
import { newCommand, printResult, type RpcOptions, withRpc } from '../command.ts';
import { failed } from '../failure.ts';
import { withProgress } from '../progress.ts';
import { withHistory } from './open-history.ts';
import { readGenesis } from './read-input.ts';

interface Options extends RpcOptions {
  readonly genesis: string;
  readonly data?: string;
  readonly from: number;
  readonly to: number;
}

const HEIGHT_MAX = 100_000_000;
const HELP = `
Every block from 1 to --to is executed again, and its state root compared with its header's: so it takes a node that keeps all history (an archive).

Verdicts: counted; again (it stood in the chain before); not-on-chain (its target is no block of this chain); wrong-claim (state root or PoH count are
not the target's); no-member; excluded; source-not-justified (may count later).
Late: PoH time from the end of the target's slot to the entry that holds the vote. A validator is present in an epoch when a vote of it stands in the
chain no more than consensus.voteLateSlotsMax slots after its target (longer while nothing becomes final); one that is absent for long leaves the sets (stale).`;

export function auditVotesCommand(): Command {
  const command = newCommand('votes', 'show from the ledger alone who voted when, how late, and whether it counted', [
    ['cairn audit votes --genesis net/genesis.json --from 1 --to 100', 'from an archive over RPC'],
    ['cairn audit votes --genesis net/genesis.json --data net/archive-1/data --from 90 --to 100', 'a stopped archive'],
    ['cairn audit votes --genesis net/genesis.json --from 90 --to 100 --json', 'for scripts'],
  ]);
  return withRpc(command)
    .requiredOption('--genesis <file>', "the network's genesis.json")
    .option('--data <directory>', "a stopped archive's data directory, instead of --rpc")
    .requiredOption('--from <height>', 'first block', wholeNumber(1, HEIGHT_MAX))
    .requiredOption('--to <height>', 'last block', wholeNumber(1, HEIGHT_MAX))
    .addHelpText('after', HELP)
    .action(run);
}

type ReadBlock = (height: number) => Promise<Uint8Array | undefined>;

async function run(options: Options): Promise<void> {
  const { from, to, data } = options;
  if (from > to) throw failed(`--from ${from} is above --to ${to}`);
  const kernels = loadKernels();
  const genesis = await readGenesis(options.genesis);
  const client = new CairnClient(options.rpc);
  const audit = (read: ReadBlock): Promise<Audit> => replay(kernels, genesis, options, read);
  const { votes, validators, slot } =
    data === undefined
      ? await audit((height) => client.blockBytes(height))
      : await withHistory(kernels, genesis, data, (history) => audit((height) => history.readBlock(height)));
  const slotMs = genesis.poh.slotDurationMs;
  printResult(options, { from, to, slot, votes: votes.map(voteJson), validators: validators.map(validatorJson) }, [
    ...votes.map((vote) => voteLine(vote, slotMs)),
    `${votes.length} votes in blocks ${from} to ${to}; after block ${to}:`,
    ...validators.map((each) => validatorLine(each, votes)),
  ]);
}

interface Audit {
  readonly votes: readonly AuditedVote[];
  readonly validators: readonly ValidatorOverview[];
  readonly slot: number;
}

async function replay(kernels: Kernels, genesis: Genesis, { from, to }: Options, read: ReadBlock): Promise<Audit> {
  const chain = new Replay(kernels, genesis);
  const audit = new VoteAudit(genesis.consensus, chain.rules.hashesPerSlot);
  const votes: AuditedVote[] = [];
  await withProgress('executing blocks', async (progress) => {
    for (let height = 1; height <= to; height += 1) {
      const parent = chain.tip;
      const block = await blockAt(kernels, height, read);
      const judged = audit.take(parent, block, execute(chain, block));
      if (height >= from) votes.push(...judged);
      progress.update(height, to);
    }
  });
  return { votes, validators: readValidators(chain.rules, chain.tip.state), slot: chain.tip.header.slot };
}

function execute(chain: Replay, block: Block): Replay['tip'] {
  try {
    return chain.apply(block);
  } catch (error) {
    throw failed(`invalid: block ${block.header.height} does not follow: ${(error as Error).message}`);
  }
}

async function blockAt(kernels: Kernels, height: number, read: ReadBlock): Promise<Block> {
  const bytes = await read(height);
  if (bytes === undefined)
    throw failed(`block ${height} is not there: ask an archive, and no height above the last final one`);
  try {
    return decodeBlock(kernels, bytes);
  } catch (error) {
    throw failed(`invalid: block ${height} is not a block: ${(error as Error).message}`);
  }
}

function voteJson({ voter, targetHash, ...vote }: AuditedVote): object {
  return { ...vote, voter: encodeBase58(voter), targetHash: encodeBase58(targetHash) };
}

function voteLine(
  { height, entry, voter, targetSlot, lateSlots, verdict, inTime }: AuditedVote,
  slotMs: number,
): string {
  const late = `${Math.round(lateSlots * slotMs)} ms late`;
  return `block ${height} entry ${entry}: ${encodeBase58(voter)} for slot ${targetSlot}, ${late}, ${verdict}${inTime ? '' : ', does not show presence'}`;
}

function validatorJson({ publicKey, address: _, ...rest }: ValidatorOverview): object {
  return { publicKey: encodeBase58(publicKey), why: whyOf(rest), ...rest };
}

function validatorLine(validator: ValidatorOverview, votes: readonly AuditedVote[]): string {
  const key = encodeBase58(validator.publicKey);
  const own = votes.filter(({ voter }) => encodeBase58(voter) === key);
  const counted = own.filter(({ verdict }) => verdict === 'counted').length;
  const why = whyOf(validator);
  return `${key.padEnd(44)}  ${validator.stage.padEnd(8)}${counted} of ${own.length} votes counted${why === '' ? '' : `, ${why}`}`;
}

/** Why a validator does not count, or is about to: empty when nothing is to be said. */
function whyOf({ slashed, stale, excluded, missedEpochs }: Omit<ValidatorOverview, 'publicKey' | 'address'>): string {
  const reasons = [
    ...(slashed ? ['slashed on evidence'] : []),
    ...(stale ? ['stale: absent for too many epochs'] : []),
    ...(excluded ? ['excluded: absent while nothing became final'] : []),
    ...(missedEpochs > 0 ? [`has missed ${missedEpochs} epochs in a row`] : []),
  ];
  return reasons.join(', ');
}
