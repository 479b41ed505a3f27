/** `cairn replication unregister|withdraw|report`: how a replicator leaves the market and gets its deposit back, and how anybody ends a lapsed replica. */
import type { Command } from 'commander';
import type { Address } from '../../../native/index.ts';
import {
  formatAddress,
  LAPSED_MAX,
  parseAddress,
  type ReplicaName,
  replicaNameOrder,
  type SigningKey,
} from '../../codec/index.ts';
import { readKeyFile } from '../../node/key-file.ts';
import { buildStake, CairnClient, type DepositOrder, type ReplicationRows } from '../../rpc/client.ts';
import { wholeNumber } from '../arguments.ts';
import { newCommand, printResult, type SubmitOptions, withSubmit } from '../command.ts';
import { CommandFailure, failed } from '../failure.ts';
import { type FinalTransaction, freshCounter, submitAndWait } from './submit.ts';

/** How many retirements are under way at once. */
const RETIRE_TOGETHER = 32;
const SEGMENT_MAX = 0xffff_ffff;

const LIFE_OF_A_DEPOSIT = `
The life of a replicator's deposit:
  1. cairn replicator --config ... --capacity 10G    registers by itself: the deposit leaves its account; it commits, proves and is paid
  2. cairn replication status --identity ADDRESS     what it holds, has earned and has missed
  3. stop the process                                else it commits anew to what is retired
  4. cairn replication unregister --key key.json     retires its replicas and asks for the deposit; each period missed in a row by then costs a part of it
  5. cairn replication withdraw --key key.json       deposit and locked rewards come back, once the lockout has passed

A replica that misses more periods in a row than missesMax has lapsed. It goes on counting as its identity's until somebody reports it (or the identity
commits to the segment anew): then the slash and the identity's locked rewards go to the reward pool.`;

interface ReportOptions extends SubmitOptions {
  readonly segment?: number;
}

type IdentityView = ReplicationRows['identities'][number];

export function unregisterCommand(): Command {
  const command = newCommand('unregister', 'retire all replicas of a replicator and ask for its deposit', [
    ['cairn replication unregister --key net/replicator-1/key.json', 'its process must be stopped'],
  ]);
  return withSubmit(command, "the replicator's key file")
    .addHelpText('after', LIFE_OF_A_DEPOSIT)
    .action((options: SubmitOptions) => unregister(options));
}

export function withdrawDepositCommand(): Command {
  const command = newCommand('withdraw', 'take the deposit of an unregistered replicator back', [
    ['cairn replication withdraw --key net/replicator-1/key.json', 'cairn replication status --identity says when'],
  ]);
  return withSubmit(command, "the replicator's key file")
    .addHelpText('after', LIFE_OF_A_DEPOSIT)
    .action((options: SubmitOptions) => withdraw(options));
}

export function reportCommand(): Command {
  const command = newCommand('report', 'end replicas that have missed more periods in a row than they survive', [
    ['cairn replication report --key key.json', `all that have lapsed, up to ${LAPSED_MAX}`],
    ['cairn replication report --key key.json --segment 3', 'those of one segment'],
  ]);
  return withSubmit(command, 'the key file of whoever pays the fee')
    .option('--segment <number>', 'only replicas of this segment', wholeNumber(0, SEGMENT_MAX))
    .addHelpText('after', LIFE_OF_A_DEPOSIT)
    .action((options: ReportOptions) => report(options));
}

/** One key's dealings with one node. */
class Sender {
  readonly client: CairnClient;
  readonly key: SigningKey;
  readonly identity: string;
  readonly #options: SubmitOptions;

  constructor(options: SubmitOptions, key: SigningKey) {
    this.#options = options;
    this.client = new CairnClient(options.rpc);
    this.key = key;
    this.identity = formatAddress(key.address);
  }

  static async open(options: SubmitOptions): Promise<Sender> {
    return new Sender(options, await readKeyFile(options.key));
  }

  async send(payload: DepositOrder): Promise<FinalTransaction> {
    const { fee, timeout } = this.#options;
    const blockhash = await this.client.latestBlockhash();
    const transaction = buildStake({ key: this.key, payload, fee, counter: freshCounter(), blockhash });
    return submitAndWait(this.client, transaction, timeout);
  }

  /** The key's own record. @throws CommandFailure when it has none */
  async record(): Promise<IdentityView> {
    const { identities } = await this.client.replication({ identity: this.identity });
    const [record] = identities;
    if (record === undefined) throw failed(`${this.identity} is not registered as a replicator`);
    return record;
  }

  /** Its replicas; a long list comes in parts. */
  async segments(): Promise<number[]> {
    const { replicas } = await this.client.replication({ identity: this.identity });
    return replicas.map(({ segment }) => segment);
  }
}

async function unregister(options: SubmitOptions): Promise<void> {
  const sender = await Sender.open(options);
  const before = await sender.record();
  if (before.freePeriod !== null)
    throw failed(
      `${sender.identity} has unregistered already: its deposit is free from period ${before.freePeriod} on`,
    );
  const retired = await retireAll(sender, before.replicas);
  const final = await sender.send({ kind: 'unregister' }).catch(orSayWhy);
  const { deposit, locked, freePeriod } = await sender.record();
  const lost = BigInt(before.deposit) - BigInt(deposit);
  const { identity } = sender;
  printResult(options, { ...final, identity, retired, deposit, locked, lost, freePeriod, fee: options.fee }, [
    `unregistered: final at height ${final.height}, slot ${final.slot}; ${retired} replicas retired${lost > 0n ? `, which cost ${lost} units for periods missed` : ''}`,
    `transaction ${final.id}`,
    `${deposit} units of deposit and ${locked} of rewards are free from period ${freePeriod} on: cairn replication withdraw`,
  ]);
}

/** Retires what the identity holds. @param most replicas it had at first: more rounds than they need are somebody else's doing */
async function retireAll(sender: Sender, most: number): Promise<number> {
  let retired = 0;
  while (retired < most) {
    const segments = (await sender.segments()).slice(0, RETIRE_TOGETHER);
    if (segments.length === 0) break;
    await Promise.all(segments.map((segment) => sender.send({ kind: 'retire', segment })));
    retired += segments.length;
  }
  return retired;
}

function orSayWhy(error: unknown): never {
  if (!(error instanceof CommandFailure) || !error.message.includes('(replicas-held)')) throw error;
  throw failed(`${error.message}. Is its process still running? It commits anew to what is retired: stop it first`);
}

async function withdraw(options: SubmitOptions): Promise<void> {
  const sender = await Sender.open(options);
  const { deposit, locked, freePeriod } = await sender.record();
  if (freePeriod === null) throw failed('it is still registered: run cairn replication unregister first');
  const final = await sender.send({ kind: 'withdrawDeposit' });
  const { identity } = sender;
  printResult(options, { ...final, identity, deposit, locked, fee: options.fee }, [
    `${BigInt(deposit) + BigInt(locked)} units are back in the account: final at height ${final.height}, slot ${final.slot}`,
    `transaction ${final.id}`,
  ]);
}

async function report(options: ReportOptions): Promise<void> {
  const sender = await Sender.open(options);
  const { segment } = options;
  const { replicas, truncated } = await sender.client.replication(segment === undefined ? {} : { segment });
  const lapsed = replicas.filter(({ isLapsed }) => isLapsed).map((row) => ({ ...row, name: nameOf(row) }));
  lapsed.sort((a, b) => replicaNameOrder(a.name, b.name));
  if (lapsed.length === 0)
    throw failed(truncated ? 'none of the replicas listed has lapsed: try --segment' : 'no replica has lapsed');
  const reported = lapsed.slice(0, LAPSED_MAX);
  const final = await sender.send({ kind: 'reportLapsed', entries: reported.map(({ name }) => name) });
  const rows = reported.map(({ segment: of, identity, misses }) => ({ segment: of, identity, misses }));
  const left = lapsed.length - reported.length;
  printResult(options, { ...final, reported: rows, left, fee: options.fee }, [
    `${reported.length} lapsed replicas reported: final at height ${final.height}, slot ${final.slot}`,
    `transaction ${final.id}`,
    ...rows.map(({ segment: of, identity, misses }) => `  segment ${of}  ${identity}  missed ${misses}`),
    ...(left > 0 ? [`${left} more have lapsed: run it again`] : []),
  ]);
}

type ReplicaView = ReplicationRows['replicas'][number];

function nameOf({ segment, identity }: ReplicaView): ReplicaName {
  return { segment, identity: parseAddress(identity, 'identity') as Address };
}
