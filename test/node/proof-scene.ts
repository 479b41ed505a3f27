/** Real replicas of a small segment, proven on a chain: what a validator's checks of storage proofs are tested on. */
import { expect } from 'vitest';
import { type Hash, hash } from '../../native/index.ts';
import { encodeSegment } from '../../replicator/encode.ts';
import {
  createVrfKey,
  deriveCipher,
  deriveSampleSeed,
  makeOpening,
  memorySource,
  proveKey,
  proveSamples,
  type ReplicaCipher,
  samplesRoot,
} from '../../replicator/index.ts';
import { type Payload, type ReplicaName, replicaNameOrder, type VerdictReason } from '../../src/codec/index.ts';
import { electorateAfter, openingDigest, readDesignated, readRotationHash } from '../../src/ledger/index.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { FindingsBook } from '../../src/node/proof-checks/findings-book.ts';
import { ProofChecker, type ProofCheckerDeps } from '../../src/node/proof-checks/proof-checker.ts';
import { type StorageProofJob, verifyMany } from '../../src/node/proof-checks/storage-proof-worker.ts';
import type { ModuleJob } from '../../src/node/threads/verifier.ts';
import { segmentRootOf } from '../../storage/index.ts';
import type { Draft } from '../ledger/fixture.ts';
import { kernels, MarketWorld, type Signer } from '../ledger/market-world.ts';
import { SILENT } from './world.ts';

export const HISTORY: { readonly segmentSizeBytes: number; readonly leafSizeBytes: number } = {
  segmentSizeBytes: 16_384,
  leafSizeBytes: 64,
};
export const SEGMENT: Uint8Array = Uint8Array.from(
  { length: HISTORY.segmentSizeBytes },
  (_, at) => (at * 31 + (at >> 8) * 7) & 0xff,
);
export const SEGMENT_ROOT: Uint8Array = segmentRootOf(kernels, HISTORY, SEGMENT);

export type Mode = 'stream' | 'open' | 'both';
export interface Made {
  readonly samplesRoot: Hash;
  readonly body: Uint8Array;
  readonly sampleProof: Uint8Array;
}

interface MadeReplica {
  readonly replica: Uint8Array;
  readonly keyProof: Uint8Array;
  readonly cipher: ReplicaCipher;
  readonly replicaRoot: Hash;
}

/** A chain on which replicators prove a real segment 0. */
export class Scene {
  readonly world: MarketWorld;
  readonly mode: Mode;
  readonly bodies: Map<string, Uint8Array> = new Map();
  readonly sent: Payload[] = [];
  /** The same as transactions. */
  readonly drafts: Draft[] = [];
  /** Of the checker made last. */
  book: FindingsBook | undefined;
  readonly jobs: StorageProofJob[] = [];
  asked = 0;

  constructor(mode: Mode, replicators: number, layers: 1 | 2 = 1) {
    this.mode = mode;
    const replication = {
      mode,
      layers,
      samplesPerProof: 20,
      checksPerProof: 4,
      sampleBlockSizeBytes: 1024,
      fakeSharePermille: 500,
    };
    this.world = new MarketWorld({ replicators, replication, history: HISTORY });
  }

  async replica(who: Signer): Promise<MadeReplica> {
    const rotationHash = readRotationHash(this.world.chain.rules.replication, this.world.chain.state, 0)!.pohHash;
    const keyProof = proveKey(createVrfKey(who.seed), { segment: 0, rotation: 0, rotationHash });
    const cipher = deriveCipher({ identity: who.key, segment: 0, rotation: 0, rotationHash }, keyProof);
    if (cipher === false) throw new RangeError('own key proof');
    const replica = new Uint8Array(SEGMENT.length);
    const sink = {
      writeReplica: async (offset: number, piece: Uint8Array) => replica.set(piece, offset),
      writeLeafHashes: async () => undefined,
    };
    const { layers } = this.world.chain.rules.replication;
    const { replicaRoot } = await encodeSegment(kernels, SEGMENT, sink, { cipher, geometry: HISTORY, layers });
    return { keyProof, cipher, replica, replicaRoot };
  }

  /** Registers and commits; `root` replaces the true one. */
  async commit(who: Signer, root?: Hash): Promise<Draft> {
    const { keyProof, replicaRoot } = await this.replica(who);
    return {
      from: who,
      payload: { kind: 'commit', segment: 0, rotation: 0, keyProof, replicaRoot: root ?? hash(replicaRoot) },
    };
  }

  async make(who: Signer, period: number): Promise<Made> {
    const periodHash = readDesignated(this.world.chain.state, period)!.pohHash;
    const sampleProof = proveSamples(createVrfKey(who.seed), { segment: 0, period, periodHash });
    const seed = deriveSampleSeed({ identity: who.key, segment: 0, period, periodHash }, sampleProof);
    if (seed === false) throw new RangeError('own sample proof');
    const { cipher, replica } = await this.replica(who);
    const layout = { replicaSizeBytes: SEGMENT.length, sampleBlockSizeBytes: 1024 };
    const reader = {
      sizeBytes: replica.length,
      read: async (at: number, into: Uint8Array) => into.set(replica.subarray(at, at + into.length)),
    };
    const root = await samplesRoot(kernels, reader as never, { layout, periodHash, seed });
    const shape = {
      geometry: HISTORY,
      layers: this.world.chain.rules.replication.layers,
      parameters: { sampleCount: 20, checkCount: 4 },
    };
    const body = await makeOpening(
      kernels,
      memorySource(kernels, { segment: SEGMENT, replica, cipher }, HISTORY),
      shape,
      seed,
    );
    return { samplesRoot: root, body, sampleProof };
  }

  /** A proof's transaction; `body` (if given) is what is served, and what the digest is of. */
  draft(who: Signer, period: number, made: Made): Draft {
    const { samplesRoot: root, body, sampleProof } = made;
    if (this.mode === 'stream')
      return { from: who, payload: { kind: 'prove', segment: 0, period, sampleProof, samplesRoot: root } };
    this.bodies.set(`${Buffer.from(who.key).toString('hex')}/${period}`, body);
    const digest = openingDigest(kernels, body);
    const zero = hash(new Uint8Array(32));
    return {
      from: who,
      payload: {
        kind: 'proveOpen',
        segment: 0,
        period,
        sampleProof,
        samplesRoot: this.mode === 'open' ? zero : root,
        openingDigest: digest,
      },
    };
  }

  /** Everybody registered and committed, and the slot in which period 1 may be proven. */
  async ready(): Promise<void> {
    const { world } = this;
    world.done(world.replicators.map((who) => world.register(who)));
    world.done(await Promise.all(world.replicators.map((who) => this.commit(who))));
    world.reach(9);
  }

  get final(): ChainBlock {
    const { rules, state } = this.world.chain;
    const electorate = electorateAfter(rules, state);
    return { header: { slot: this.world.slot }, state, electorate } as unknown as ChainBlock;
  }

  checker(validator: Signer, changes: Partial<ProofCheckerDeps> = {}): ProofChecker {
    const { genesis, rules } = this.world.chain;
    const run = async ({ argument, functionName }: ModuleJob): Promise<unknown> => {
      expect(functionName).toBe('verifyMany');
      this.jobs.push(argument as StorageProofJob);
      return verifyMany(kernels, argument as StorageProofJob);
    };
    return new ProofChecker({
      genesis,
      rules,
      verifier: { run } as unknown as ProofCheckerDeps['verifier'],
      lanes: 2,
      publicKey: validator.key,
      book: this.#newBook(validator),
      segment: async () => ({ bytes: SEGMENT, root: SEGMENT_ROOT }),
      segmentRoot: () => SEGMENT_ROOT,
      openings: async (proofs) => {
        this.asked += proofs.length;
        return proofs.map(({ publicKey, period }) =>
          this.bodies.get(`${Buffer.from(publicKey).toString('hex')}/${period}`),
        );
      },
      send: async (payload, fees) => {
        this.sent.push(payload);
        this.drafts.push({ from: validator, payload, fee: BigInt(fees) });
      },
      log: SILENT,
      ...changes,
    });
  }
  entries(): ReplicaName[] {
    return this.world.replicators.map(({ address }) => ({ segment: 0, identity: address })).sort(replicaNameOrder);
  }
  #newBook({ signing }: Signer): FindingsBook {
    this.book = new FindingsBook(kernels, this.world.chain.rules.chainId, signing);
    return this.book;
  }
  /** What the checker made last has found of a period's proofs, by replicator. */
  findings(period: number): Record<string, VerdictReason | 'valid'> {
    const found: Record<string, VerdictReason | 'valid'> = {};
    for (const [n, { address }] of this.world.replicators.entries()) {
      const finding = this.book!.get({ segment: 0, identity: address, period });
      if (finding !== undefined) found[n] = finding.valid ? 'valid' : finding.reason;
    }
    return found;
  }
  /** What it has found invalid. */
  rejections(period: number): Record<string, VerdictReason | 'valid'> {
    return Object.fromEntries(Object.entries(this.findings(period)).filter(([, reason]) => reason !== 'valid'));
  }
}

/** A copy with one bit changed. */
export const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = bytes.slice();
  copy[at]! ^= 1;
  return copy;
};
