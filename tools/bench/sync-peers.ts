/** Processes that serve a state to the sync benchmark, each from its own copy of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { workerUrl } from '../../native/worker-url.ts';

/** One that is ready. */
export interface ServingPeer {
  readonly address: string;
  stop(): Promise<void>;
}

/** Starts `count` processes over copies of the store in `directory`. */
export async function startServing(directory: string, folder: string, count: number): Promise<ServingPeer[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const copy = join(folder, `peer-${index}`);
      cpSync(directory, copy, { recursive: true });
      return startOne(copy);
    }),
  );
}

async function startOne(directory: string): Promise<ServingPeer> {
  const script = fileURLToPath(workerUrl(import.meta.url, './sync-server.ts'));
  const child = spawn(process.execPath, [script, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  const address = await readAddress(child);
  return {
    address,
    stop: async () => {
      child.stdin?.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}

async function readAddress(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const { address } = JSON.parse(line) as { readonly address: string };
    return address;
  }
  throw new RangeError('a serving process ended before it was ready: run npm run build first');
}
