/** Structured logs (pino): JSON lines to standard error, or to the file that the configuration names. Keys and seeds never go in. */
import { type DestinationStream, destination, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** @param options level as in the configuration; `file` absolute, created when missing */
export function createLogger(options: { readonly level: string; readonly file?: string | undefined }): Logger {
  const target: DestinationStream =
    options.file === undefined ? destination(2) : destination({ dest: options.file, mkdir: true, sync: false });
  return pino({ level: options.level, base: null }, target);
}
