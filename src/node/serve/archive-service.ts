/**
 * Answers of a chain node to light clients, replicators and fast-syncing nodes: finality proofs, headers, blocks backwards, segments and
 * their roots, an identity's records. The state itself: state-service.ts.
 *
 * Invariants: only what is final and durable is served; every answer is bounded by protocols.ts; a request outside what is kept is
 * answered with no frames, never with an error that would cost the asker's patience.
 */
import { type Address, address } from '../../../native/index.ts';
import { HEADER_SIZE_BYTES } from '../../codec/index.ts';
import { type LedgerRules, lockedUnits, readReplica, replicationOverview } from '../../ledger/index.ts';
import type { PeerName, Transport } from '../../net/transport.ts';
import type { BlockTree } from '../chain/block-tree.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import type { ChainStore } from '../chain/chain-store.ts';
import {
  decodeMessage,
  EmptyRequest,
  encodeMessage,
  FETCH_BLOCKS_MAX,
  FETCH_HEADERS_MAX,
  FETCH_SIZE_BYTES_MAX,
  PROTOCOL,
  RangeRequest,
  REPLICAS_MAX,
  type ReplicasAnswer,
  ReplicasRequest,
  SEGMENT_ROOTS_MAX,
  SegmentRequest,
} from '../protocols.ts';

/** Bytes of a segment in one frame. */
export const SEGMENT_FRAME_SIZE_BYTES: number = 1024 * 1024;
/** Roots in one frame. */
export const ROOTS_PER_FRAME = 8_192;

export interface ArchiveServiceDeps {
  readonly transport: Transport;
  readonly store: ChainStore;
  readonly tree: BlockTree;
  readonly rules: LedgerRules;
}

/** Registers the handlers. */
export function serveArchive(deps: ArchiveServiceDeps): void {
  const { transport, store } = deps;
  transport.handle(PROTOCOL.finality, (from, request) => finality(store, from, request));
  transport.handle(PROTOCOL.headers, (from, request) => headers(store, from, request));
  transport.handle(PROTOCOL.backfill, (from, request) => backfill(store, from, request));
  transport.handle(PROTOCOL.segmentRoots, (from, request) => segmentRoots(store, from, request));
  transport.handle(PROTOCOL.segment, (from, request) => segment(store, from, request));
  transport.handle(PROTOCOL.replicas, (from, request) => replicas(deps, from, request));
}

async function* finality(store: ChainStore, from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
  decodeMessage(EmptyRequest, request, from, PROTOCOL.finality);
  const proof = store.finality();
  if (proof === undefined) return;
  yield proof.header;
  yield proof.certificate;
}

async function* headers(store: ChainStore, from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
  const range = decodeMessage(RangeRequest, request, from, PROTOCOL.headers);
  for (let count = 0; count < Math.min(range.countMax, FETCH_HEADERS_MAX); count += 1) {
    const bytes = await store.finalBlock(range.from + count);
    if (bytes === undefined) return;
    yield bytes.subarray(0, HEADER_SIZE_BYTES);
  }
}

async function* backfill(store: ChainStore, from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
  const range = decodeMessage(RangeRequest, request, from, PROTOCOL.backfill);
  let sizeBytes = 0;
  for (let count = 0; count < Math.min(range.countMax, FETCH_BLOCKS_MAX) && range.from - count >= 1; count += 1) {
    const bytes = await store.finalBlock(range.from - count);
    if (bytes === undefined || sizeBytes + bytes.length > FETCH_SIZE_BYTES_MAX) return;
    sizeBytes += bytes.length;
    yield bytes;
  }
}

async function* segmentRoots(store: ChainStore, from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
  const range = decodeMessage(RangeRequest, request, from, PROTOCOL.segmentRoots);
  const end = Math.min(store.segmentCount, range.from + Math.min(range.countMax, SEGMENT_ROOTS_MAX));
  for (let first = range.from; first < end; first += ROOTS_PER_FRAME) {
    const count = Math.min(ROOTS_PER_FRAME, end - first);
    const frame = new Uint8Array(count * 32);
    for (let index = 0; index < count; index += 1) frame.set(store.segmentRoot(first + index), index * 32);
    yield frame;
  }
}

async function* segment(store: ChainStore, from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
  const { index, offset } = decodeMessage(SegmentRequest, request, from, PROTOCOL.segment);
  for (let at = offset; ; at += SEGMENT_FRAME_SIZE_BYTES) {
    const frame = await store.segmentPiece(index, at, SEGMENT_FRAME_SIZE_BYTES);
    if (frame === undefined || frame.length === 0) return;
    yield frame;
  }
}

async function* replicas(
  { tree, rules }: ArchiveServiceDeps,
  from: PeerName,
  request: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const identity = address(Uint8Array.from(decodeMessage(ReplicasRequest, request, from, PROTOCOL.replicas).identity));
  yield encodeMessage({ ...replicasAnswer(rules, tree.root, identity) });
}

/** What the ledger after a block records of an identity. */
export function replicasAnswer(
  rules: LedgerRules,
  { state, header }: Pick<ChainBlock, 'state' | 'header'>,
  identity: Address,
): ReplicasAnswer {
  const overview = replicationOverview(rules, state, header.slot, { identity, rowsMax: REPLICAS_MAX });
  const [record] = overview.identities;
  return {
    slot: header.slot,
    registered: record !== undefined,
    leaving: record?.isLeaving ?? false,
    balance: String(state.balance(identity)),
    deposit: String(record?.deposit ?? 0),
    locked: String(record === undefined ? 0 : lockedUnits(record)),
    accepted: record?.accepted ?? 0,
    fakes: record?.fakes ?? 0,
    replicas: overview.replicas.map(
      ({ segment, rotation, lastPeriod, proof, accepted, rejected, expired, reason, paid, misses }) => ({
        ...{ segment, rotation, lastPeriod: lastPeriod ?? -1, proof, accepted, rejected, expired },
        ...{ reason, paid, misses, commitSlot: readReplica(state, segment, identity)!.commitSlot },
      }),
    ),
  };
}
