/**
 * The process that history-kill.test.ts kills: appends blocks to a history as fast as it can, prunes it all the while, and now and then closes and opens
 * it again. Runs compiled code (`npm run build` first). Argument: directory.
 *
 * Prints `open`, then `+HEIGHT` for each block once it is acknowledged and `-HEIGHT` for the first block held once a prune is. The blocks are those of
 * `blockOf` in history-kill.test.ts.
 */
import { writeSync } from 'node:fs';
import { loadKernels } from '../../dist/native/index.js';
import { HistoryStore } from '../../dist/storage/index.js';

const kernels = loadKernels();
const [directory] = process.argv.slice(2);

function idsOf(height) {
  return Array.from({ length: 1 + (height % 40) }, (_, index) => {
    const seed = new Uint8Array(8);
    new DataView(seed.buffer).setUint32(0, height, true);
    new DataView(seed.buffer).setUint32(4, index, true);
    return kernels.sha256(seed);
  });
}

function blockOf(height) {
  const ids = idsOf(height);
  const bytes = new Uint8Array(4 + ids.length * 32 + ((height * 53) % 900));
  new DataView(bytes.buffer).setUint32(0, height, true);
  for (const [index, id] of ids.entries()) bytes.set(id, 4 + index * 32);
  const transactions = ids.map((id, index) => ({ id, entry: 1, index }));
  return { height, slot: height, hash: kernels.sha256(bytes), bytes, transactions };
}

async function session(blocks) {
  const store = await HistoryStore.open({ directory, kernels, segmentSizeBytes: 8192, leafSizeBytes: 1024 });
  writeSync(1, 'open\n');
  let isOver = false;
  const prune = async () => {
    while (!isOver) {
      const options = { keepFromHeight: (store.tip?.height ?? 0) - 50, mayDrop: () => true, rowsPerStep: 60 };
      const transactionIds = (bytes) => idsOf(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));
      const { droppedBlocks } = await store.prune({ ...options, transactionIds });
      if (droppedBlocks > 0) writeSync(1, `-${store.startHeight}\n`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const pruning = prune();
  for (let count = 0; count < blocks; count++) {
    const height = (store.tip?.height ?? 0) + 1;
    await store.append(blockOf(height));
    writeSync(1, `+${height}\n`);
  }
  isOver = true;
  await pruning;
  await store.close();
}

while (true) await session(300);
