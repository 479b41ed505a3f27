/**
 * The process that kill.test.ts kills: encodes and rotates replicas in the directory given, without end. Prints one line when it starts.
 * Arguments: the build's folder as a URL, the directory, the segment's size in bytes.
 */
import { createHash } from 'node:crypto';

const [build, directory, sizeText] = process.argv.slice(2);
const { loadKernels } = await import(`${build}/native/index.js`);
const { createVrfKey, proveKey, ReplicaStore, streamRoots } = await import(`${build}/replicator/index.js`);
const { diskFiles } = await import(`${build}/storage/files/disk-files.js`);

const kernels = loadKernels();
const segment = new Uint8Array(Number(sizeText)).map((_, index) => index % 251);
const geometry = { segmentSizeBytes: segment.length, leafSizeBytes: 1024 };
const key = createVrfKey(new Uint8Array(32).fill(1));
const store = await ReplicaStore.open({
  kernels,
  files: diskFiles(kernels),
  directory,
  identity: key.publicKey,
  geometry,
});
const pass = { segment, geometry, sampleBlockSizeBytes: 1024, identities: [], wantSegmentRoot: true };
const { segmentRoot } = await streamRoots(kernels, pass);

function request(index, rotation) {
  const rotationHash = createHash('sha256').update(`rotation ${rotation}`).digest();
  return {
    segment: index,
    rotation,
    rotationHash,
    keyProof: proveKey(key, { segment: index, rotation, rotationHash }),
  };
}

process.stdout.write('started\n');
for (let turn = 0; ; turn += 1) {
  const index = turn % 3;
  await store.encode({ ...request(index, 0), source: segment, segmentRoot });
  await store.reencode({ ...request(index, 1), fromRotation: 0 });
  await store.drop({ segment: index, rotation: 0 });
}
