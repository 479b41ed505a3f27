#!/usr/bin/env node
/**
 * The `cairn` program: parses, runs, and turns every outcome into an exit code: 0 done or valid, 1 not done or invalid, 2 not understood or
 * unreadable. Errors are one line on standard error; `--debug` adds the stack.
 */
import { CommanderError } from 'commander';
import pc from 'picocolors';
import { CommandFailure } from './failure.ts';
import { createProgram } from './program.ts';

/** Failures whose codes say that the input was at fault, not the work: exit code 2. */
const INPUT_ERRORS: ReadonlySet<string> = new Set([
  'ConfigError',
  'KeyFileError',
  'GenesisError',
  'InitError',
  'CodecError',
]);

async function main(): Promise<void> {
  const program = createProgram();
  // Commander would end the process itself, with exit code 1 for wrong usage.
  const withoutExit = (command: ReturnType<typeof createProgram>): void => {
    command.exitOverride();
    for (const each of command.commands) withoutExit(each);
  };
  withoutExit(program);
  try {
    await program.parseAsync(process.argv);
  } catch (error) {
    process.exitCode = explain(error);
    // A failed command may have left sockets or threads behind.
    process.exit();
  }
}

function explain(error: unknown): number {
  // Help and version end this way too, with exit code 0; commander has printed the rest.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const failure = error instanceof Error ? error : new Error(String(error));
  process.stderr.write(`${pc.createColors(process.stderr.isTTY === true).red('error:')} ${failure.message}\n`);
  if (process.argv.includes('--debug')) process.stderr.write(`${failure.stack}\n`);
  if (failure instanceof CommandFailure) return failure.exitCode;
  return INPUT_ERRORS.has(failure.name) ? 2 : 1;
}

await main();
