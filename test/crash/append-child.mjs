/**
 * The process that sigkill.test.ts kills: appends batches to a state store as fast as it can, up to 8 waiting at once, and prints each
 * height once it is acknowledged. Runs compiled code (`npm run build` first).
 * Arguments: directory. The batches are those of `batchOf` in the test.
 */
import { writeSync } from 'node:fs';
import { loadKernels } from '../../dist/native/index.js';
import { encodeBatch, StateStore } from '../../dist/storage/index.js';

function batchOf(height) {
  const ops = Array.from({ length: 40 }, (_, index) => {
    const address = new Uint8Array(20);
    new DataView(address.buffer).setUint32(0, ((height * 31 + index * 7) % 997) * 0x410041);
    return { kind: 'putAccount', address, balance: BigInt(height) };
  });
  return encodeBatch({ height, ops });
}

const store = await StateStore.open({
  directory: process.argv[2],
  kernels: loadKernels(),
  chainId: new Uint8Array(32).fill(5),
  segmentSizeBytes: 65_536,
});
let next = store.isInitialized ? store.tip.height + 1 : 0;
writeSync(1, 'open\n');
const appendForever = async () => {
  for (;;) {
    const height = next++;
    await store.append(batchOf(height), height);
    writeSync(1, `${height}\n`);
  }
};
await Promise.all(Array.from({ length: 8 }, appendForever));
