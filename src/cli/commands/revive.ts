/** `cairn revive`: takes back what was evicted from an account that could not pay its rent. */
import type { Command } from 'commander';
import type { SigningKey } from '../../codec/index.ts';
import { readKeyFile } from '../../node/key-file.ts';
import { buildRevive, CairnClient, ClientError, type EvictionsAnswer, type EvictionView } from '../../rpc/client.ts';
import { wholeNumber } from '../arguments.ts';
import { newCommand, printResult, type SubmitOptions, withSubmit } from '../command.ts';
import { CommandFailure, failed } from '../failure.ts';
import { type FinalTransaction, freshCounter, submitAndWait } from './submit.ts';

interface Options extends SubmitOptions {
  readonly index?: number;
}

/** How often a path is asked for again that has gone stale on the way. */
const ATTEMPTS = 4;

export function reviveCommand(): Command {
  const command = newCommand('revive', 'take back what was evicted from your account for unpaid rent', [
    ['cairn revive --key key.json', 'everything of yours that was evicted; the fee comes out of it'],
    ['cairn revive --key key.json --index 17', 'one eviction only'],
  ]);
  return withSubmit(command, "the evicted account's key file")
    .option('--index <number>', "only the eviction of this number (default: all of the key's)", wholeNumber(0, 2 ** 43))
    .action(run);
}

async function run(options: Options): Promise<void> {
  const key = await readKeyFile(options.key);
  const client = new CairnClient(options.rpc);
  const wanted = chosen(await client.evictions(key.address), options);
  const revived: (FinalTransaction & { readonly index: number; readonly balance: bigint })[] = [];
  for (const { index, balance } of wanted)
    revived.push({ ...(await revive(client, key, index, options)), index, balance });
  const units = revived.reduce((sum, { balance }) => sum + balance, 0n);
  printResult(options, { revived, units, fee: options.fee }, [
    ...revived.map((one) => `eviction ${one.index}: ${one.balance} units back, final at height ${one.height}`),
    `${units} units revived, less ${options.fee} for each`,
  ]);
}

/** What is to be revived; a reason when that is nothing. */
function chosen({ evictions, keptFrom }: EvictionsAnswer, { index, fee }: Options): readonly EvictionView[] {
  const open = evictions.filter((one) => !one.revived && (index === undefined || one.index === index));
  if (open.length === 0) throw failed(nothingToRevive(evictions, keptFrom, index));
  const worth = open.filter(({ balance }) => balance > fee);
  // Asked for by its number it is revived all the same: another balance may pay the fee.
  if (worth.length === 0 && index === undefined)
    throw failed(`what was evicted is less than the fee of ${fee}; name one with --index to revive it all the same`);
  return index === undefined ? worth : open;
}

function nothingToRevive(evictions: readonly EvictionView[], keptFrom: number, index: number | undefined): string {
  if (evictions.some((one) => one.revived && (index === undefined || one.index === index)))
    return 'what was evicted from this account has been revived already';
  const elsewhere =
    keptFrom > 0 ? `; this node has kept evictions from number ${keptFrom} on, ask one that was there before` : '';
  return `nothing of this account was evicted${index === undefined ? '' : ` under number ${index}`}${elsewhere}`;
}

/** Signs and submits; asks for the path again when later evictions have outdated it. */
async function revive(
  client: CairnClient,
  key: SigningKey,
  index: number,
  options: Options,
): Promise<FinalTransaction> {
  for (let attempt = 1; ; attempt++) {
    const { evictions } = await client.evictions(key.address);
    const eviction = evictions.find((one) => one.index === index);
    if (eviction === undefined) throw failed(`the node no longer shows eviction ${index}`);
    const blockhash = await client.latestBlockhash();
    const transaction = buildRevive({ key, eviction, fee: options.fee, counter: freshCounter(), blockhash });
    try {
      return await submitAndWait(client, transaction, options.timeout);
    } catch (error) {
      if (!isStale(error) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** The path led to a mountain that has merged since the node was asked. */
function isStale(error: unknown): boolean {
  if (!(error instanceof CommandFailure)) return false;
  return error.cause instanceof ClientError && error.cause.reason === 'stale-eviction-path';
}
