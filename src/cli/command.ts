/**
 * What all commands share: `--json` and `--debug`, examples under the help, the RPC option, and how results are printed.
 *
 * Invariants: a command's result goes to standard output, as lines for people or, with `--json`, as exactly one line of JSON; everything else
 * (progress, errors) goes to standard error; colours appear only on a terminal.
 */
import { Command, Option } from 'commander';
import { amountUnits, durationMs, rpcUrl } from './arguments.ts';

export const DEFAULT_RPC_URL = 'http://127.0.0.1:8899';

/** Options every command has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly debug?: boolean;
}
export interface RpcOptions extends CommonOptions {
  readonly rpc: string;
}

/** A command with the common options; `examples`: command lines with a remark each. */
export function newCommand(name: string, description: string, examples: Examples): Command {
  return newGroup(name, description, examples)
    .option('--json', 'print the result as one line of JSON')
    .option('--debug', 'show stacks of errors');
}

type Examples = readonly (readonly [string, string])[];

/** A command that only holds others. It must not have the common options: commander would take its subcommands' `--json` for its own. */
export function newGroup(name: string, description: string, examples: Examples): Command {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, remark]) => `  $ ${line.padEnd(width)}  # ${remark}`);
  return new Command(name)
    .description(description)
    .showHelpAfterError('(add --help for the options and examples)')
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}

/** Adds `--rpc`. */
export function withRpc(command: Command): Command {
  const option = new Option('--rpc <url>', 'RPC address of a validator or archive')
    .argParser(rpcUrl)
    .default(DEFAULT_RPC_URL)
    .env('CAIRN_RPC');
  return command.addOption(option);
}

/** The devnet's minimum fee; a node that wants more says so. */
const DEFAULT_FEE = '10';
const DEFAULT_TIMEOUT = '60s';

/** Options of commands that submit a transaction: who pays, how much, how long to wait. */
export interface SubmitOptions extends RpcOptions {
  readonly key: string;
  readonly fee: bigint;
  readonly timeout: number;
}

/** Adds `--key`, `--fee`, `--timeout` and `--rpc`. */
export function withSubmit(command: Command, keyDescription: string): Command {
  const fee = new Option('--fee <units>', 'fee, in the smallest unit')
    .argParser(amountUnits)
    .default(amountUnits(DEFAULT_FEE), DEFAULT_FEE);
  const timeout = new Option('--timeout <duration>', 'longest wait for finality')
    .argParser(durationMs)
    .default(durationMs(DEFAULT_TIMEOUT), DEFAULT_TIMEOUT);
  return withRpc(command.requiredOption('--key <file>', keyDescription)).addOption(fee).addOption(timeout);
}

/** Prints a result: one line of JSON (bigints as decimal text), or lines for people. */
export function printResult(options: CommonOptions, result: object, lines: readonly string[]): void {
  const text =
    options.json === true
      ? JSON.stringify(result, (_, value) => (typeof value === 'bigint' ? value.toString() : value))
      : lines.join('\n');
  process.stdout.write(`${text}\n`);
}
