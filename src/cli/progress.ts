/**
 * Progress of what takes long: a bar on standard error when that is a terminal and the work has taken over two seconds; nothing elsewhere.
 */
import { Presets, SingleBar } from 'cli-progress';

const PATIENCE_MS = 2_000;

export interface Progress {
  /** Reports how far the work is. @param done of `total`, any unit @param note shown behind the bar */
  update(done: number, total: number, note?: string): void;
}

/** Runs `work` with a progress bar named `label`. */
export async function withProgress<T>(label: string, work: (progress: Progress) => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return work({ update: () => {} });
  const startedMs = performance.now();
  const bar = new SingleBar(
    { format: `${label} [{bar}] {percentage} % | {value} of {total}{note}`, clearOnComplete: true },
    Presets.rect,
  );
  let isShown = false;
  try {
    return await work({
      update: (done, total, note) => {
        if (!isShown && performance.now() - startedMs < PATIENCE_MS) return;
        const payload = { note: note === undefined ? '' : ` | ${note}` };
        if (!isShown) bar.start(total, done, payload);
        isShown = true;
        bar.setTotal(total);
        bar.update(Math.min(done, total), payload);
      },
    });
  } finally {
    if (isShown) bar.stop();
  }
}
