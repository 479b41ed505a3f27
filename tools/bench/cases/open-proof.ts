/**
 * Proofs of mode `open`: 2,759 leaves of 1 KiB and 64 encodings out of a replica of 64 MiB in memory (smaller in short runs). Making takes the
 * draws, the openings and the paths; verifying everything but the two VRF proofs, which `proof.vrf` measures.
 */
import type { Kernels } from '../../../native/index.ts';
import {
  checkOpening,
  createVrfKey,
  DEFAULT_CHECK_COUNT,
  DEFAULT_SAMPLE_COUNT,
  makeOpening,
  memorySource,
  type OpenShape,
  type OpenSource,
  vrfVerify,
} from '../../../replicator/index.ts';
import { segmentRootOf } from '../../../storage/index.ts';
import type { BenchCase, Size } from '../model.ts';
import { sampleBytes } from '../sample-data.ts';

const SEGMENT_BYTES: Readonly<Record<Size, number>> = { tiny: 128 * 1024, quick: 64 * 2 ** 20, full: 64 * 2 ** 20 };
const RESULT_BYTES = 128 * 1024;
const LEAF_BYTES = 1024;
const cipher = { key: sampleBytes(32, 40), iv: sampleBytes(16, 41) };
const seed = sampleBytes(32, 42);

interface Stage {
  readonly shape: OpenShape;
  readonly source: OpenSource;
  readonly target: { cipher: typeof cipher; replicaRoot: Uint8Array; segmentRoot: Uint8Array };
}

/** A segment, its replica and their roots. */
function stage(kernels: Kernels, sizeBytes: number): Stage {
  const segment = sampleBytes(sizeBytes, 43);
  const replica = new Uint8Array(sizeBytes);
  kernels.aesCbcEncrypt(cipher.key, cipher.iv.slice(), segment, replica);
  const geometry = { segmentSizeBytes: sizeBytes, leafSizeBytes: LEAF_BYTES };
  const parameters = { sampleCount: DEFAULT_SAMPLE_COUNT, checkCount: DEFAULT_CHECK_COUNT };
  return {
    shape: { geometry, layers: 1, parameters },
    source: memorySource(kernels, { segment, replica, cipher }, geometry),
    target: { cipher, replicaRoot: rootOf(kernels, replica), segmentRoot: rootOf(kernels, segment) },
  };
}

function rootOf(kernels: Kernels, bytes: Uint8Array): Uint8Array {
  return segmentRootOf(kernels, { segmentSizeBytes: bytes.length, leafSizeBytes: LEAF_BYTES }, bytes);
}

const make = (kernels: Kernels, { source, shape }: Stage): Promise<Uint8Array> =>
  makeOpening(kernels, source, shape, seed);

function check(kernels: Kernels, { target, shape }: Stage, body: Uint8Array): void {
  const refusal = checkOpening(kernels, target, shape, seed, body);
  if (refusal !== undefined) throw new TypeError(`an honest opening was refused: ${refusal}`);
}

export const openMake: BenchCase = {
  name: 'proof.open.make',
  unit: 'proofs',
  limitIs: 'no bare loop for this',
  rounds: 9,
  prepare(context) {
    return {
      ours: (kernels) => {
        const own = stage(kernels, SEGMENT_BYTES[context.size]);
        return { units: 1, call: async () => void (await make(kernels, own)) };
      },
      peers: {},
      limit: undefined,
      result: (kernels) => make(kernels, stage(kernels, RESULT_BYTES)),
    };
  },
};

export const openVerify: BenchCase = {
  name: 'proof.open.verify',
  unit: 'proofs',
  limitIs: 'no bare loop for this',
  prepare(context) {
    return {
      ours: async (kernels) => {
        const own = stage(kernels, SEGMENT_BYTES[context.size]);
        const body = await make(kernels, own);
        return { units: 1, call: () => check(kernels, own, body) };
      },
      peers: {},
      limit: undefined,
      result: async (kernels) => {
        const own = stage(kernels, RESULT_BYTES);
        const body = await make(kernels, own);
        check(kernels, own, body);
        return body;
      },
    };
  },
};

/** Both twins use the same code for it. */
export const proofVrf: BenchCase = {
  name: 'proof.vrf',
  unit: 'proofs',
  limitIs: 'no bare loop for this',
  prepare() {
    const key = createVrfKey(sampleBytes(32, 44));
    const alpha = sampleBytes(60, 45);
    const proof = key.prove(alpha);
    const verify = (): Uint8Array => vrfVerify(key.publicKey, alpha, proof) || new Uint8Array(0);
    return {
      ours: () => ({ units: 1, call: () => void verify() }),
      peers: {},
      limit: undefined,
      result: verify,
    };
  },
};
