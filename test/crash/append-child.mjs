/**
 * The process that the crash tests kill, starve of disk and fail the syncs of: appends batches to a state store as fast as it can, up to 8 waiting
 * at once, and prints each height once it is acknowledged. Runs compiled code (`npm run build` first).
 *
 * Arguments: directory, how many batches before it closes and opens the store again (0: never), and `grow` for a log whose segments are never deleted. The batches are those of `opsOf` in store-process.ts.
 * When the store stops taking batches it prints `stopped CODE reads N`: the reason, and how many acknowledged batches it still reads; then ends with
 * exit code 3. When it cannot be opened: `cannot open CODE`, exit code 4.
 */
import { writeSync } from 'node:fs';
import { loadKernels } from '../../dist/native/index.js';
import { encodeBatch, StateStore } from '../../dist/storage/index.js';

/** What every account's balance is, by the account's first word: also of batches that are not durable yet. */
const balances = new Map();
const nameOf = (address) => new DataView(address.buffer, address.byteOffset).getUint32(0);

function opsOf(height) {
  return Array.from({ length: 1 + ((height * 53) % 120) }, (_, index) => {
    const address = new Uint8Array(20);
    new DataView(address.buffer).setUint32(0, Math.imul((height * 31 + index * 7) % 20_011, 0x9e3779b1) >>> 0);
    return { kind: 'putAccount', address, balance: BigInt(height) };
  });
}

/** The batch after `before`: the ops of its height, and as many moves of the oldest accounts as keep the log short. */
function batchAfter(before) {
  const ops = opsOf(before.place.height);
  for (const { address, balance } of ops) balances.set(nameOf(address), balance);
  const touched = new Set(ops.map(({ address }) => nameOf(address)));
  const { opCount, floor, activeCount } = before;
  let moves = Math.min(ops.length + 1, Math.max(0, opCount - floor - Math.ceil(1.5 * activeCount)));
  if (moves > 0)
    for (const { key } of before.oldestActive()) {
      if (touched.has(nameOf(key))) continue;
      ops.push({ kind: 'putAccount', address: key.slice(), balance: balances.get(nameOf(key)) });
      moves -= 1;
      if (moves === 0) break;
    }
  return encodeBatch(before.place, ops);
}

const [directory, reopenEvery] = [process.argv[2], Number(process.argv[3] ?? 0)];
const isPinned = process.argv[4] === 'grow';

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
  for (let height = 0; height < next; height++)
    for (const { address, balance } of opsOf(height)) balances.set(nameOf(address), balance);
  let after = store.commitment;
  if (isPinned && store.isInitialized) store.pin(store.firstOp);
  const last = reopenEvery === 0 ? Number.POSITIVE_INFINITY : next + reopenEvery;
  let stop;
  writeSync(1, 'open\n');
  const appendUntilStopped = async () => {
    while (next < last && stop === undefined) {
      const height = next++;
      try {
        const batch = batchAfter(after);
        after = after.next(batch);
        await store.append(batch, after);
        if (isPinned && height === 0) store.pin(0);
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
    const first = store.heightOf(store.firstOp);
    for await (const _ of store.readBatches(first)) reads += 1;
    writeSync(1, `stopped ${stop.code} reads ${first + reads} tip ${store.tip.height}\n`);
    process.exitCode = 3;
  }
  // A store that failed may still be closed; it leaves no clean mark.
  await store.close();
  return stop === undefined;
}

while (await session());
