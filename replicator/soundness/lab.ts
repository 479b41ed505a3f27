/**
 * A small replica, honestly committed, on which the cheats are tried for real: what a cheat can produce is turned into a proof by the real
 * prover and judged by the real verifier.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Kernels } from '../../native/index.ts';
import { memoryReader } from '../chunks.ts';
import { type ReplicaDecoder, replicaDecoder } from '../decode.ts';
import { ReplicatorError } from '../errors.ts';
import { deriveCipher, deriveSampleSeed, proveKey, proveSamples, type ReplicaCipher } from '../key.ts';
import { makeOpening, type OpenShape, type OpenSource, verifyOpen } from '../open-proof.ts';
import { memorySource } from '../open-source.ts';
import { samplesRoot } from '../prove.ts';
import { hashLeaves, SubtreeFrontier } from '../subtrees.ts';
import { verifyStream } from '../verify.ts';
import { createVrfKey, type VrfKey } from '../vrf.ts';
import type { SoundnessParameters } from './parameters.ts';
import { allPasses, type KeptPasses } from './regenerate.ts';

const hashOf = (label: string): Uint8Array => sha256(utf8ToBytes(label));
const SEGMENT_INDEX = 3;
const ROTATION = 1;

/** One period's samples, as the identity draws them. */
export interface Draw {
  readonly period: number;
  readonly periodHash: Uint8Array;
  readonly sampleProof: Uint8Array;
  readonly seed: Uint8Array;
}

/** An identity with its honest replica. */
export interface LabReplica {
  readonly key: VrfKey;
  readonly keyProof: Uint8Array;
  readonly cipher: ReplicaCipher;
  readonly decoder: ReplicaDecoder;
  readonly passes: KeptPasses;
  readonly bytes: Uint8Array;
  readonly replicaRoot: Uint8Array;
  /** The honest prover's source; its tree is what every cheat keeps of the commitment. */
  readonly source: OpenSource;
}

export class Lab {
  readonly kernels: Kernels;
  readonly parameters: SoundnessParameters;
  readonly segment: Uint8Array;
  readonly segmentRoot: Uint8Array;
  readonly rotationHash: Uint8Array = hashOf('soundness rotation');

  /** @param parameters at the scaled size */
  constructor(kernels: Kernels, parameters: SoundnessParameters) {
    this.kernels = kernels;
    this.parameters = parameters;
    this.segment = filler(kernels, parameters.segmentSizeBytes);
    this.segmentRoot = this.rootOf(this.segment);
  }

  get shape(): OpenShape {
    const { layers, sampleCount, checkCount } = this.parameters;
    return { geometry: this.parameters, layers, parameters: { sampleCount, checkCount } };
  }

  rootOf(bytes: Uint8Array): Uint8Array {
    const tree = new SubtreeFrontier(this.kernels);
    tree.append(hashLeaves(this.kernels, bytes, this.parameters.leafSizeBytes).nodes);
    return tree.root();
  }

  /** Encodes for an identity. */
  replica(name: string): LabReplica {
    const key = createVrfKey(hashOf(`soundness ${name}`));
    const subject = { segment: SEGMENT_INDEX, rotation: ROTATION, rotationHash: this.rotationHash };
    const keyProof = proveKey(key, subject);
    const cipher = must(deriveCipher({ ...subject, identity: key.publicKey }, keyProof));
    const { segmentSizeBytes, layers } = this.parameters;
    const decoder = replicaDecoder(this.kernels, cipher, segmentSizeBytes, layers);
    const passes = allPasses(this.kernels, decoder, this.segment);
    const bytes = passes.outputs.at(-1)!;
    const source = memorySource(this.kernels, { segment: this.segment, replica: bytes, cipher }, this.parameters);
    return { key, keyProof, cipher, decoder, passes, bytes, replicaRoot: this.rootOf(bytes), source };
  }

  draw({ key }: LabReplica, period: number): Draw {
    const periodHash = hashOf(`soundness period ${period}`);
    const subject = { segment: SEGMENT_INDEX, period, periodHash };
    const sampleProof = proveSamples(key, subject);
    const seed = must(deriveSampleSeed({ ...subject, identity: key.publicKey }, sampleProof));
    return { period, periodHash, sampleProof, seed };
  }

  /** Whether a proof made from `bytes` in place of the replica is accepted; `target` has another commitment than its own when given. */
  async accepts(
    own: LabReplica,
    bytes: Uint8Array,
    draw: Draw,
    replicaRoot?: Uint8Array,
    judged: Draw = draw,
  ): Promise<boolean> {
    return this.parameters.mode === 'open'
      ? this.#acceptsOpen(own, bytes, draw, replicaRoot ?? own.replicaRoot, judged)
      : this.#acceptsStream(own, bytes, draw, judged);
  }

  async #acceptsOpen(
    own: LabReplica,
    bytes: Uint8Array,
    draw: Draw,
    replicaRoot: Uint8Array,
    judged: Draw,
  ): Promise<boolean> {
    const { leafSizeBytes } = this.parameters;
    const source: OpenSource = {
      ...own.source,
      replicaLeaf: async (leaf) => bytes.subarray(leaf * leafSizeBytes, (leaf + 1) * leafSizeBytes),
    };
    const body = await makeOpening(this.kernels, source, this.shape, draw.seed);
    const claim = { ...this.#subject(own), ...judged, sampleProof: draw.sampleProof, body };
    const { segmentRoot } = this;
    return verifyOpen(this.kernels, claim, this.shape, { replicaRoot, segmentRoot }) === undefined;
  }

  async #acceptsStream(own: LabReplica, bytes: Uint8Array, draw: Draw, judged: Draw): Promise<boolean> {
    const { segmentSizeBytes, sampleBlockSizeBytes, layers } = this.parameters;
    const layout = { replicaSizeBytes: segmentSizeBytes, sampleBlockSizeBytes };
    const root = await samplesRoot(this.kernels, memoryReader(bytes), { layout, ...draw });
    const proofs = [{ ...judged, sampleProof: draw.sampleProof, samplesRoot: root }];
    const [verdict] = await verifyStream(this.kernels, {
      segment: this.segment,
      geometry: this.parameters,
      sampleBlockSizeBytes,
      layers,
      claims: [{ ...this.#subject(own), proofs }],
    });
    return verdict!.valid;
  }

  #subject({ key, keyProof }: LabReplica) {
    const { rotationHash } = this;
    return { identity: key.publicKey, segment: SEGMENT_INDEX, rotation: ROTATION, rotationHash, keyProof };
  }
}

function must<T>(value: T | false): T {
  if (value === false) throw new ReplicatorError('key-proof', 'an own VRF proof does not verify');
  return value;
}

/** Bytes that look random: the cipher over zeros. */
function filler(kernels: Kernels, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  kernels.aesCbcEncrypt(sha256(concatBytes(utf8ToBytes('soundness segment'))), new Uint8Array(16), bytes, bytes);
  return bytes;
}
