/** The error of this folder: why a call to a thread was refused, or will never be answered. */

/**
 * - `not-started`: no `start` yet                          - `start-invalid`: the start point contradicts itself
 * - `slot-order`: not the slot after the one that ended    - `slot-not-open`: a mixin for a slot that is still to be opened
 * - `queue-full`: more calls pending than the named maximum - `stopped`: `stop` or a new `start` came meanwhile
 * - `job-failed`: the job threw (its message is in ours)    - `worker-failed`: the thread died; nothing will answer any more
 */
export type ThreadErrorCode =
  | 'not-started'
  | 'start-invalid'
  | 'slot-order'
  | 'slot-not-open'
  | 'queue-full'
  | 'stopped'
  | 'job-failed'
  | 'worker-failed';

export class ThreadError extends Error {
  override readonly name = 'ThreadError';
  readonly code: ThreadErrorCode;
  constructor(code: ThreadErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
