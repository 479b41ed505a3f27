/**
 * Writes test/vectors/replication.json with the portable twin. Run after `npm run build`, when a format was changed on purpose:
 * node tools/build/write-replication-vectors.mjs
 */
import { writeFile } from 'node:fs/promises';

const dist = new URL('../../dist/', import.meta.url);
const { portableKernels } = await import(new URL('native/portable/index.js', dist).href);
const { replicationVectors } = await import(new URL('tools/vectors/replication.js', dist).href);

const path = new URL('../../test/vectors/replication.json', import.meta.url);
const content = await replicationVectors(portableKernels(undefined));
await writeFile(path, `${JSON.stringify(content, undefined, 2)}\n`);
process.stdout.write(`${content.vectors.length} vectors written\n`);
