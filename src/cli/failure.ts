/**
 * How a command ends without success, and which exit code that is: 1 when the answer is no (invalid, refused, not done), 2 when the question could
 * not be asked (wrong options, a file that cannot be read).
 */

export type ExitCode = 1 | 2;

/** An expected failure: printed as one line, without a stack. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly code: 'failed' | 'usage';
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
    this.code = exitCode === 2 ? 'usage' : 'failed';
  }
}

/** Exit code 1: done as asked, and the answer is no. */
export const failed = (message: string): CommandFailure => new CommandFailure(1, message);
/** Exit code 2: not to be done as asked. */
export const unusable = (message: string): CommandFailure => new CommandFailure(2, message);
