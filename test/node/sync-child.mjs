/**
 * The process that the fast-sync test kills. Arguments: genesis file, peer's address, trusted height, its hash in hexadecimal, data directory.
 * Prints `step STAGE DONE` after each step and `done` at the end. Runs compiled code (`npm run build` first).
 */
import { readFileSync, writeSync } from 'node:fs';
import { loadKernels } from '../../dist/native/index.js';
import { parseGenesis } from '../../dist/src/ledger/index.js';
import { createLogger } from '../../dist/src/node/log.js';
import { fastSync } from '../../dist/src/node/sync/fast-sync.js';

const [genesisFile, address, height, hash, dataDirectory] = process.argv.slice(2);
await fastSync({
  genesis: parseGenesis(readFileSync(genesisFile)),
  kernels: loadKernels(),
  from: [address],
  trust: { height: Number(height), hash: new Uint8Array(Buffer.from(hash, 'hex')) },
  dataDirectory,
  log: createLogger({ level: 'silent' }),
  pieceOps: 2,
  heldSizeBytesMax: 0,
  onProgress: ({ stage, done }) => writeSync(1, `step ${stage} ${done}\n`),
});
writeSync(1, 'done\n');
