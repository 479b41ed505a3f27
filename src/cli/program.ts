/** The command line's shape: every command under one program. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { packageRoot } from '../../native/worker-url.ts';
import { newGroup } from './command.ts';
import { addressCommand } from './commands/address.ts';
import { auditVotesCommand } from './commands/audit-votes.ts';
import { balanceCommand } from './commands/balance.ts';
import { benchCommand } from './commands/bench.ts';
import { devnetCommand } from './commands/devnet.ts';
import { doctorCommand } from './commands/doctor.ts';
import { initCommand } from './commands/init.ts';
import { inspectCommand } from './commands/inspect.ts';
import { keygenCommand } from './commands/keygen.ts';
import { nodeCommand } from './commands/node.ts';
import { proveAccountCommand } from './commands/prove-account.ts';
import { rebuildCommand } from './commands/rebuild.ts';
import { reviveCommand } from './commands/revive.ts';
import { simulateCommand } from './commands/simulate.ts';
import { soundnessCommand } from './commands/soundness.ts';
import { bondCommand, unbondCommand, withdrawCommand } from './commands/stake.ts';
import { statusCommand } from './commands/status.ts';
import { syncCommand } from './commands/sync.ts';
import { timestampCommand } from './commands/timestamp.ts';
import { transferCommand } from './commands/transfer.ts';
import { validatorsCommand } from './commands/validators.ts';
import { verifyAccountCommand } from './commands/verify-account.ts';
import { verifyHistoryCommand } from './commands/verify-history.ts';
import { verifyLogCommand } from './commands/verify-log.ts';
import { verifyPohCommand } from './commands/verify-poh.ts';
import { verifyProofCommand } from './commands/verify-proof.ts';
import { verifyTimestampCommand } from './commands/verify-timestamp.ts';

/** Builds the program; nothing runs before `parseAsync`. */
export function createProgram(): Command {
  const program = new Command('cairn')
    .description(
      'a ledger that proves when things happened (Proof of History) and that its history is still stored (Proof of Replication)',
    )
    .version(packageVersion(), '--version', 'print the version')
    .showHelpAfterError('(add --help for the options and examples)')
    .addHelpText('after', EXAMPLES);
  for (const command of [devnetCommand(), doctorCommand(), initCommand()]) program.addCommand(command);
  for (const role of ['validator', 'archive', 'replicator'] as const) program.addCommand(nodeCommand(role));
  for (const command of [keygenCommand(), addressCommand(), balanceCommand(), transferCommand(), reviveCommand()])
    program.addCommand(command);
  program.addCommand(timestampCommand());
  for (const command of [statusCommand(), validatorsCommand(), bondCommand(), unbondCommand(), withdrawCommand()])
    program.addCommand(command);
  program.addCommand(syncCommand());
  program.addCommand(simulateCommand());
  program.addCommand(benchCommand());
  program.addCommand(soundnessCommand());
  for (const command of [proveCommand(), verifyCommand(), auditCommand(), inspectCommand(), rebuildCommand()])
    program.addCommand(command);
  return program;
}

const EXAMPLES = `
Examples:
  $ cairn devnet --for 60s           # a whole network on this machine, loaded, broken and checked
  $ cairn doctor                     # can this machine hold the PoH rate?
  $ cairn init net && cairn validator --config net/validator-1/config.json
  $ cairn transfer --key net-wallet.json --to cairn1... --amount 1000

Exit codes: 0 done, or valid; 1 not done, or invalid; 2 not understood, or unreadable.`;

function proveCommand(): Command {
  const command = newGroup('prove', 'make a proof that others can check without trusting you', [
    ['cairn prove account cairn1...', "an account's balance, in the newest final state"],
  ]);
  return command.addCommand(proveAccountCommand());
}

function auditCommand(): Command {
  const command = newGroup('audit', 'see what a chain itself says about those who run it', [
    [
      'cairn audit votes --genesis net/genesis.json --from 90 --to 100',
      'who voted when, how late, and whether it counted',
    ],
  ]);
  return command.addCommand(auditVotesCommand());
}

function verifyCommand(): Command {
  const command = newGroup('verify', 'check something without trusting who served it', [
    ['cairn verify timestamp FILE PROOF --trust HASH', 'a file existed before a PoH count'],
    ['cairn verify account FILE --trust HEIGHT:HASH', 'an account had a balance'],
    ['cairn verify poh --genesis net/genesis.json --count 100', 'the sequence of blocks a node serves'],
    ['cairn verify history --genesis net/genesis.json --data DIR', "a stopped node's whole history"],
    ['cairn verify log DIR', "a stopped node's op log"],
    ['cairn verify proof FILE --genesis net/genesis.json --data DIR', 'a storage proof'],
  ]);
  for (const each of [
    verifyTimestampCommand(),
    verifyAccountCommand(),
    verifyPohCommand(),
    verifyHistoryCommand(),
    verifyLogCommand(),
    verifyProofCommand(),
  ])
    command.addCommand(each);
  return command;
}

function packageVersion(): string {
  const root = packageRoot(fileURLToPath(import.meta.url));
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}
