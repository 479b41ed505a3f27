/**
 * The process that the crash tests kill, starve of disk and fail the syncs of: appends batches to a state store as fast as it can, up to 8 waiting
 * at once, and prints each height once it is acknowledged. Runs compiled code (`npm run build` first).
 *
 * Arguments: directory, how many batches before it closes and opens the store again (0: never). The batches are those of `opsOf` in store-process.ts.
 * When the store stops taking batches it prints `stopped CODE reads N`: the reason, and how many acknowledged batches it still reads; then ends with
 * exit code 3. When it cannot be opened: `cannot open CODE`, exit code 4.
 */
import { writeSync } from 'node:fs';
import { loadKernels } from '../../dist/native/index.js';
import { encodeBatch, StateStore } from '../../dist/storage/index.js';

function batchOf(height) {
  const ops = Array.from({ length: 1 + ((height * 53) % 120) }, (_, index) => {
    const address = new Uint8Array(20);
    new DataView(address.buffer).setUint32(0, Math.imul((height * 31 + index * 7) % 20_011, 0x9e3779b1) >>> 0);
    return { kind: 'putAccount', address, balance: BigInt(height) };
  });
  return encodeBatch({ height, ops });
}

const [directory, reopenEvery] = [process.argv[2], Number(process.argv[3] ?? 0)];

async function open() {
  try {
    return await StateStore.open({
      directory,
      kernels: loadKernels(),
      chainId: new Uint8Array(32).fill(5),
      segmentSizeBytes: 65_536,
      shardSlotCountLog2: 7,
    });
  } catch (error) {
    writeSync(1, `cannot open ${error.code}\n`);
    process.exit(4);
  }
}

/** Appends until the store stops, or until it is time to reopen it. */
async function session() {
  const store = await open();
  let next = store.isInitialized ? store.tip.height + 1 : 0;
  const last = reopenEvery === 0 ? Number.POSITIVE_INFINITY : next + reopenEvery;
  let stop;
  writeSync(1, 'open\n');
  const appendUntilStopped = async () => {
    while (next < last && stop === undefined) {
      const height = next++;
      try {
        await store.append(batchOf(height), height);
      } catch (error) {
        stop ??= store.failure ?? error;
        return;
      }
      writeSync(1, `${height}\n`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, appendUntilStopped));
  if (stop !== undefined) {
    let reads = 0;
    for await (const _ of store.readBatches(0)) reads += 1;
    writeSync(1, `stopped ${stop.code} reads ${reads} tip ${store.tip.height}\n`);
    process.exitCode = 3;
  }
  // A store that failed may still be closed; it leaves no clean mark.
  await store.close();
  return stop === undefined;
}

while (await session());
