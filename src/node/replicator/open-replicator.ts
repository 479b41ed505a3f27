/** Puts the replicator role together. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Hash } from '../../../native/index.ts';
import { createVrfKey, type Replica, type ReplicaStore, ReplicatorError } from '../../../replicator/index.ts';
import { type Disk, realDisk } from '../../../storage/index.ts';
import { type BlockHeader, type SigningKey, signingKey } from '../../codec/index.ts';
import {
  type Genesis,
  genesisHeader,
  knownBy,
  type LedgerRules,
  ledgerRules,
  openingSizeBytesBound,
} from '../../ledger/index.ts';
import { genesisRoot } from '../chain/open-root.ts';
import { type Clock, systemClock } from '../clock.ts';
import { keptHandOver } from '../hand-overs/hand-over-book.ts';
import { HandOverStore } from '../hand-overs/hand-over-store.ts';
import { HandOverWalk, knownByGenesis, type WalkDeps } from '../hand-overs/hand-over-walk.ts';
import { peerKeyMessage, type StatusMessage } from '../protocols.ts';
import { Peers } from '../relay/peers.ts';
import type { RoleContext } from '../run.ts';
import { serveHandOvers } from '../serve/hand-over-service.ts';
import { ReplicaService } from '../serve/replica-service.ts';
import { SignatureChecks } from '../signature-checks.ts';
import { InlineVerifier } from '../threads/index.ts';
import { ReplicatorFaults } from './faults.ts';
import { FinalityFollower } from './finality-follower.ts';
import { KeptChain } from './kept-chain.ts';
import { LedgerLink } from './ledger-link.ts';
import { MarketView } from './market-view.ts';
import { OpeningFolder } from './opening-folder.ts';
import { PacketGatherer } from './packet-gatherer.ts';
import { ProofFolder } from './proof-folder.ts';
import { Prover } from './prover.ts';
import { ReplicaKeeper } from './replica-keeper.ts';
import { ReplicatorNode } from './replicator-node.ts';
import { SegmentSource } from './segment-source.ts';

const PASS_INTERVAL_MS = 250;
/** Without a configured capacity: a gibibyte. */
const CAPACITY_BYTES: number = 1024 * 1024 * 1024;

export interface OpenedReplicator {
  readonly api: ReplicatorNode;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What a replicator stands on; a simulator brings its own. */
export interface ReplicatorGround {
  readonly disk: Pick<Disk, 'files' | 'keyValues'>;
  /** Resolves when the next pass of work is due. */
  readonly pause: () => Promise<void>;
  readonly clock: Clock;
  /** Above every counter this key has used before. */
  readonly counterStart: bigint;
}

/** The real machine's. */
function realGround(): ReplicatorGround {
  const counterStart = BigInt(Date.now()) << 20n;
  return { disk: realDisk(), pause: () => delay(PASS_INTERVAL_MS), clock: systemClock, counterStart };
}

/** Opens the replicas kept on disk and prepares to follow the chain. */
export async function openReplicator(
  context: RoleContext,
  seed: Uint8Array,
  store: ReplicaStore,
  { disk, pause, clock, counterStart }: ReplicatorGround = realGround(),
): Promise<OpenedReplicator> {
  const { config, genesis, kernels, transport, log } = context;
  const key = signingKey(seed);
  const vrf = createVrfKey(seed);
  const rules = ledgerRules(kernels, genesis);
  const verifier = new InlineVerifier(kernels);
  const signatures = new SignatureChecks(kernels, rules.chainId, verifier, 1);
  const { slotsPerPeriod, periodsPerRotation } = genesis.replication;
  const { segmentSizeBytes, leafSizeBytes } = genesis.history;
  const schedule = { slotsPerPeriod, periodsPerRotation };
  const origin = genesisHeader(kernels, genesis, genesisRoot(genesis, kernels));
  const handOvers = await HandOverStore.open(join(config.dataDirectory, 'hand-overs'), kernels, disk);
  const walk = newWalk({ kernels, transport, signatures, chainId: rules.chainId }, handOvers, genesis, origin);
  const follower = new FinalityFollower({
    kernels,
    transport,
    signatures,
    rules,
    handOvers: walk,
    genesis: origin,
    keepSlots: 2 * slotsPerPeriod * periodsPerRotation,
  });
  const segments = new SegmentSource({ kernels, transport, shape: genesis.history });
  const ledger = new LedgerLink({
    kernels,
    transport,
    key,
    minimumFee: rules.minimumFee,
    counterStart,
  });
  const { files } = disk;
  const proofs = await ProofFolder.open(files, join(config.dataDirectory, 'proofs'));
  const folder = await OpeningFolder.open(
    files,
    join(config.dataDirectory, 'openings'),
    Math.ceil(openingSizeBytesBound(genesis.replication, genesis.history)),
  );
  const peers = newPeers(context, rules, key, signatures, clock);
  const faults = new ReplicatorFaults({ kernels, config: config.faults });
  const identity = { vrf, seed, identity: key.publicKey, address: key.address };
  const keeper = new ReplicaKeeper({
    kernels,
    store,
    vrf,
    identity: key.publicKey,
    schedule,
    geometry: { segmentSizeBytes, leafSizeBytes },
    market: rules.replication,
    prover: new Prover({
      ...{ kernels, ...identity, chainId: rules.chainId, genesis, folder },
      ...{ unchecked: faults.isBlind, threads: store.openingThreads },
    }),
    faults,
    follower,
    segments,
    saveProof: (segment, ending, bytes) => proofs.save(segment, ending, bytes),
    send: (payload) => ledger.send(node.targets(), follower.head!, payload),
    log,
  });
  await keeper.open();
  const kept = await KeptChain.open(kernels, files, join(config.dataDirectory, 'chain'));
  if (kept.mark !== undefined) segments.adoptRoots(kept.mark.roots);
  const service = new ReplicaService({
    transport,
    segmentSizeBytes,
    roots: () => segments.roots,
    finality: () => follower.proof ?? kept.mark?.frames,
    header: (at) => follower.header(at) ?? (kept.mark?.header.height === at ? kept.mark.header : undefined),
    open: (segment) => openHeld(store, keeper, segment),
    opening: (segment, period) => folder.opening(segment, period),
    onDamaged: (segment, error) => keeper.noteDamaged(segment, error),
  });
  serveHandOvers(transport, handOvers);
  const gatherer = new PacketGatherer({
    ...{ kernels, transport, rules, signatures, identity: key.address, log },
    electorate: () => follower.electorate,
    validators: () => node.validators(),
    send: (payload, fees) => ledger.send(node.targets(), follower.head!, payload, fees),
  });
  const node = new ReplicatorNode({
    genesis,
    transport,
    peers,
    key,
    follower,
    segments,
    ledger,
    keeper,
    gatherer,
    folder,
    store,
    kept,
    market: new MarketView({ kernels, transport, identity: key.address, schedule }),
    served: () => service.bytesServed,
    capacityBytes: config.replicator?.capacityBytes ?? CAPACITY_BYTES,
    wanted: config.replicator?.segments,
    pause,
    faultsAllowed: config.faults?.corruptByte === true,
    log,
    onFatal: context.onFatal,
  });
  return {
    api: node,
    start: async () => {
      await transport.start();
      await peers.start();
      node.start();
    },
    stop: async () => {
      peers.stop();
      await node.stop();
      await transport.stop();
      await handOvers.close();
    },
  };
}

/** The way from genesis' validators, gone on with where it had come to; what is followed is kept, and so given on. */
function newWalk(
  deps: Omit<WalkDeps, 'keep'> & { readonly chainId: Hash },
  store: HandOverStore,
  genesis: Genesis,
  origin: BlockHeader,
): HandOverWalk {
  const { last } = store;
  const start =
    last === undefined ? knownByGenesis(genesis, origin) : knownBy(keptHandOver(deps.kernels, deps.chainId, last));
  return new HandOverWalk({ ...deps, keep: ({ electorate, bytes }) => store.append(electorate.epoch, bytes) }, start);
}

/** A replica of the segment that is whole, of whatever rotation; undefined when there is none. */
async function openHeld(store: ReplicaStore, keeper: ReplicaKeeper, segment: number): Promise<Replica | undefined> {
  const held = keeper.held.findLast((one) => one.segment === segment);
  if (held === undefined) return undefined;
  try {
    return await store.get(held);
  } catch (error) {
    // It may have been dropped since.
    if (error instanceof ReplicatorError && error.code === 'replica-missing') return undefined;
    throw error;
  }
}

function newPeers(
  { config, genesis, transport, version, rpcUrl, log }: RoleContext,
  { chainId }: LedgerRules,
  key: SigningKey,
  signatures: SignatureChecks,
  clock: Clock,
): Peers {
  const keyProof = key.sign(peerKeyMessage(chainId, transport.self));
  const status = (): StatusMessage => ({
    chainId,
    role: 'replicator',
    startHeight: 0,
    finalizedHeight: 0,
    bestHeight: 0,
    publicKey: key.publicKey,
    keyProof,
    rpc: rpcUrl(),
    version,
  });
  return new Peers({
    transport,
    log,
    clock,
    chainId,
    slotDurationMs: genesis.poh.slotDurationMs,
    bootstrap: config.bootstrap,
    status,
    isSigned: (publicKey, signature, message) => signatures.single(publicKey, signature, message),
    onStatus: () => {},
  });
}
