/** Puts together what a verify thread gets: a pending proof as a claim, and claims on one segment as a job. Bytes are copied: views of large state buffers would be cloned whole. */
import type { Genesis, PendingProof } from '../../ledger/index.ts';
import type { StorageClaim, StorageProofJob } from './storage-proof-worker.ts';

/** A proof as a claim. @param wantsRoot whether the pass recomputes the committed root, once a commit */
function claim(pending: PendingProof, opening: Uint8Array | undefined, wantsRoot: boolean): StorageClaim {
  const { record, proof, segment, period } = pending;
  const replicaRoot = plain(record.replicaRoot);
  const replica = {
    identity: plain(pending.publicKey),
    segment,
    rotation: record.rotation,
    rotationHash: plain(pending.rotationHash.pohHash),
    keyProof: plain(record.keyProof),
    ...(wantsRoot ? { replicaRoot } : {}),
    proofs: [
      {
        period,
        periodHash: plain(pending.periodHash.pohHash),
        sampleProof: plain(proof.sampleProof),
        samplesRoot: plain(proof.samplesRoot),
      },
    ],
  };
  return opening === undefined ? { replica, replicaRoot } : { replica, replicaRoot, opening };
}

/** Claims on one segment as a job. @param segment the own copy's bytes, where there is one */
function of(
  { history, replication }: Genesis,
  segmentRoot: Uint8Array,
  segment: Uint8Array | undefined,
  checksCopy: boolean,
  claims: readonly StorageClaim[],
): StorageProofJob {
  const { mode, layers, samplesPerProof, checksPerProof, sampleBlockSizeBytes } = replication;
  const { segmentSizeBytes, leafSizeBytes } = history;
  return {
    geometry: { segmentSizeBytes, leafSizeBytes },
    layers,
    segmentRoot,
    checksCopy,
    sampleBlockSizeBytes,
    claims,
    ...(segment === undefined ? {} : { segment }),
    ...(mode === 'stream' ? {} : { openings: { sampleCount: samplesPerProof, checkCount: checksPerProof } }),
  };
}

function plain(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}

export const storageJob: { readonly claim: typeof claim; readonly of: typeof of } = { claim, of };
