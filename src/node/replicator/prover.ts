/**
 * Makes a period's proof in the network's mode: the samples root, the openings, or both; now and then a fake, to find out who approves without checking.
 *
 * Invariants
 * - Whatever a validator or the ledger may ask for later (openings, a fake's secret) is durable before a proof is given out.
 * - A fake is made only while the share that genesis allows leaves room for it, one at a time; its secret follows from this identity's seed, segment and
 *   period, so nobody else can know it.
 */
import { type Address, type Hash, hash, type Kernels, ZERO_HASH } from '../../../native/index.ts';
import {
  type DesignatedBlock,
  deriveSampleSeed,
  encodeOpenFile,
  encodeProofFile,
  type OpenStorageProof,
  proveSamples,
  type Replica,
  type ReplicaHeader,
  type ReplicaThreads,
  type ReplicationSchedule,
  type StorageProof,
  type VrfKey,
} from '../../../replicator/index.ts';
import type { ProveOpenPayload, ProvePayload } from '../../codec/index.ts';
import { fakeOpening, fakeSamplesRoot, type Genesis, openingDigest, openingRestHash } from '../../ledger/index.ts';
import type { KeptFake, OpeningFolder } from './opening-folder.ts';

const PERMILLE = 1000;

export interface ProverDeps {
  readonly kernels: Kernels;
  readonly vrf: VrfKey;
  /** 32 bytes: fakes' secrets follow from it. */
  readonly seed: Uint8Array;
  readonly identity: Uint8Array;
  readonly address: Address;
  readonly chainId: Uint8Array;
  readonly genesis: Pick<Genesis, 'history' | 'replication'>;
  readonly folder: OpeningFolder;
  /** Reads openings whatever they decode to. Fault injection only. */
  readonly unchecked: boolean;
  /** Where openings are made; on the caller's thread when absent. */
  readonly threads?: Pick<ReplicaThreads, 'open'> | undefined;
}

export interface ProofRequest {
  readonly header: ReplicaHeader;
  readonly replica: Replica;
  readonly period: number;
  readonly rotationBlock: DesignatedBlock & { readonly pohHash: Hash };
  readonly periodBlock: DesignatedBlock & { readonly pohHash: Hash };
  /** This identity's proofs accepted, and fakes revealed, so far: a fake must leave their share within bounds. */
  readonly accepted: number;
  readonly fakes: number;
}

export interface MadeProof {
  readonly payload: ProvePayload | ProveOpenPayload;
  readonly isFake: boolean;
  /** Files for `cairn verify proof`, by the ending of their names; none of a fake. */
  readonly files: readonly { readonly ending: string; readonly bytes: Uint8Array }[];
}

interface Parts {
  readonly sampleProof: Uint8Array;
  /** Zero in mode open. */
  readonly samplesRoot: Hash;
  /** Undefined in mode stream. */
  readonly body: Uint8Array | undefined;
}

export class Prover {
  readonly #deps: ProverDeps;

  constructor(deps: ProverDeps) {
    this.#deps = deps;
  }

  /** Fakes that are not settled yet. */
  get folder(): OpeningFolder {
    return this.#deps.folder;
  }

  /** Makes a proof of what lies on disk. Throws `CorruptReplicaError` where decoding shows damage. */
  async prove(request: ProofRequest): Promise<MadeProof> {
    const truth = await this.#parts(request);
    const fake = await this.#fakeFor(request, truth);
    const parts = fake === undefined ? truth : this.#faked(request, truth, fake.secret);
    const { segment } = request.header;
    if (parts.body !== undefined) await this.#deps.folder.saveOpening(segment, request.period, parts.body);
    return {
      payload: this.#payload(request, parts),
      isFake: fake !== undefined,
      files: fake === undefined ? this.#files(request, parts) : [],
    };
  }

  async #parts({ header, replica, period, periodBlock }: ProofRequest): Promise<Parts> {
    const { vrf, identity, genesis, unchecked } = this.#deps;
    const { mode, layers, samplesPerProof, checksPerProof, sampleBlockSizeBytes } = genesis.replication;
    const { segment } = header;
    const periodHash = periodBlock.pohHash;
    const sampleProof = proveSamples(vrf, { segment, period, periodHash });
    const seed = deriveSampleSeed({ identity, segment, period, periodHash }, sampleProof);
    if (seed === false) throw new RangeError('own sample proof does not verify');
    const samplesRoot =
      mode === 'open' ? ZERO_HASH : await replica.samplesRoot({ periodHash, seed, sampleBlockSizeBytes });
    if (mode === 'stream') return { sampleProof, samplesRoot, body: undefined };
    const parameters = { sampleCount: samplesPerProof, checkCount: checksPerProof };
    const shape = { geometry: genesis.history, layers, parameters };
    const body = await replica.makeOpening(shape, seed, { unchecked, threads: this.#deps.threads });
    return { sampleProof, samplesRoot, body };
  }

  /** Whether this proof shall be a fake, and its secret, kept. */
  async #fakeFor({ header, period, accepted, fakes }: ProofRequest, truth: Parts): Promise<KeptFake | undefined> {
    const { kernels, genesis, folder } = this.#deps;
    const { fakeSharePermille } = genesis.replication;
    const { segment } = header;
    // One that was made before a kill, of this very period, is what was sent, or might have been.
    const before = folder.fakes.find((fake) => fake.segment === segment && fake.period === period);
    if (before !== undefined) return before;
    if (folder.fakes.length > 0 || (fakes + 1) * PERMILLE > fakeSharePermille * (accepted + fakes + 1))
      return undefined;
    const secret = this.#secret(segment, period);
    // The share is a bound; half of it is the odds, so that what validators reject meanwhile does not use it up.
    if (Buffer.from(kernels.sha256(secret)).readUInt16LE(0) % (2 * PERMILLE) >= fakeSharePermille) return undefined;
    const restHash = truth.body === undefined ? ZERO_HASH : openingRestHash(kernels, truth.body);
    const fake = { segment, period, secret, restHash };
    await folder.saveFake(fake);
    return fake;
  }

  #secret(segment: number, period: number): Uint8Array {
    const text = `cairn/fake-secret/1/${segment}/${period}`;
    return this.#deps.kernels.sha256(Buffer.concat([Buffer.from(text), this.#deps.seed]));
  }

  #faked({ header, period, periodBlock }: ProofRequest, truth: Parts, secret: Uint8Array): Parts {
    const { kernels, address, genesis } = this.#deps;
    const subject = { identity: address, segment: header.segment, period, periodHash: periodBlock.pohHash };
    const hasRoot = genesis.replication.mode !== 'open';
    return {
      sampleProof: truth.sampleProof,
      samplesRoot: hasRoot ? fakeSamplesRoot(kernels, subject, secret) : ZERO_HASH,
      body: truth.body === undefined ? undefined : fakeOpening(kernels, subject, secret, truth.body),
    };
  }

  #payload({ header, period }: ProofRequest, { sampleProof, samplesRoot, body }: Parts): MadeProof['payload'] {
    const common = { segment: header.segment, period, sampleProof, samplesRoot };
    if (body === undefined) return { kind: 'prove', ...common };
    return { kind: 'proveOpen', ...common, openingDigest: openingDigest(this.#deps.kernels, body) };
  }

  #files(request: ProofRequest, { sampleProof, samplesRoot, body }: Parts): MadeProof['files'] {
    const { kernels, chainId, identity, genesis } = this.#deps;
    const { sampleBlockSizeBytes, layers, samplesPerProof, checksPerProof, mode } = genesis.replication;
    const { header, period, rotationBlock, periodBlock } = request;
    const { segment, rotation, keyProof, segmentRoot, replicaRoot } = header;
    const schedule: ReplicationSchedule = genesis.replication;
    const context = { chainId, geometry: genesis.history, schedule, rotationBlock, periodBlock, segmentRoot, layers };
    const claim = { segment, rotation, period, identity, keyProof, sampleProof, replicaRoot };
    const files: { ending: string; bytes: Uint8Array }[] = [];
    if (mode !== 'open') {
      const proof: StorageProof = { ...context, ...claim, sampleBlockSizeBytes, samplesRoot: hash(samplesRoot) };
      files.push({ ending: 'proof', bytes: encodeProofFile(kernels, proof) });
    }
    if (body !== undefined) {
      const parameters = { sampleCount: samplesPerProof, checkCount: checksPerProof };
      const proof: OpenStorageProof = { ...context, ...claim, parameters, body };
      files.push({ ending: mode === 'both' ? 'open.proof' : 'proof', bytes: encodeOpenFile(kernels, proof) });
    }
    return files;
  }
}
