/**
 * Answers of a chain node to replicators about the market: how segments stand, which proofs wait for findings, and (a validator's) its sealed findings and their secrets.
 *
 * Invariants: read from the last final state; every answer is bounded by protocols.ts; findings are sealed only for proofs this validator checked itself, and a
 * peer gets at most `SIGNATURES_PER_SECOND` of them, secrets included.
 */
import { address } from '../../../native/index.ts';
import {
  type ReplicaName,
  replicaNameOrder,
  type SealedFindings,
  type SeatSecret,
  VALIDATION_ENTRIES_MAX,
} from '../../codec/index.ts';
import { type LedgerRules, readIdentities, readReplicas } from '../../ledger/index.ts';
import { TokenBucket } from '../../net/token-bucket.ts';
import { PeerFault, type PeerName, type Transport, TransportError } from '../../net/transport.ts';
import { standingsOf } from '../api/standings.ts';
import type { BlockTree } from '../chain/block-tree.ts';
import type { Clock } from '../clock.ts';
import {
  decodeMessage,
  encodeMessage,
  FindingsSecretRequest,
  PendingProofsRequest,
  PROTOCOL,
  RangeRequest,
  STANDINGS_MAX,
  ValidationsRequest,
} from '../protocols.ts';

/** Findings signed for one peer: sustained, and at once. */
export const SIGNATURES_PER_SECOND = 64;
/** Peers whose rate is remembered. */
const PEERS_REMEMBERED_MAX = 4096;

export interface MarketServiceDeps {
  readonly transport: Transport;
  readonly tree: BlockTree;
  readonly rules: LedgerRules;
  readonly clock: Clock;
  readonly proofs: FindingsSource | null;
}

/** A validator's findings. */
export interface FindingsSource {
  /** What it says of these proofs, sealed; null when it has checked none of them. */
  seal(period: number, entries: readonly ReplicaName[]): SealedFindings | null;
  /** What opens its findings of a period; null while others may still seal theirs. */
  secret(period: number): SeatSecret | null;
}

/** Registers the handlers. */
export function serveMarket(deps: MarketServiceDeps): void {
  const { transport } = deps;
  const rates = new Map<PeerName, TokenBucket>();
  transport.handle(PROTOCOL.standings, (from, request) => standings(deps, from, request));
  transport.handle(PROTOCOL.pendingProofs, (from, request) => pendingProofs(deps, from, request));
  transport.handle(PROTOCOL.validations, (from, request) => {
    requireRate(rates, from, deps.clock.nowMs());
    return validations(deps, from, request);
  });
  transport.handle(PROTOCOL.findingsSecret, (from, request) => {
    requireRate(rates, from, deps.clock.nowMs());
    return findingsSecret(deps, from, request);
  });
}

async function* standings(deps: MarketServiceDeps, from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
  const { tree, rules } = deps;
  const range = decodeMessage(RangeRequest, request, from, PROTOCOL.standings);
  const { state, header } = tree.root;
  const rows = standingsOf(deps).slice(range.from, range.from + Math.min(range.countMax, STANDINGS_MAX));
  let identities = 0;
  for (const _ of readIdentities(state)) identities += 1;
  yield encodeMessage({
    slot: header.slot,
    target: rules.replication.replicasPerSegment,
    identities,
    standings: rows.map(({ segment, proven, replicas }) => ({ segment, proven, replicas })),
  });
}

/** Those first that the fewest have spoken on. */
async function* pendingProofs(
  { tree }: MarketServiceDeps,
  from: PeerName,
  request: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const { period } = decodeMessage(PendingProofsRequest, request, from, PROTOCOL.pendingProofs);
  const pending: { readonly segment: number; readonly identity: Uint8Array; readonly spoken: number }[] = [];
  for (const { segment, identity, record } of readReplicas(tree.root.state)) {
    const { proof, nextPeriod } = record;
    if (proof?.state !== 'pending' || nextPeriod - 1 !== period) continue;
    pending.push({ segment, identity: Uint8Array.from(identity), spoken: bitCount(proof.spoken) });
  }
  const chosen = pending.sort((a, b) => a.spoken - b.spoken).slice(0, VALIDATION_ENTRIES_MAX);
  yield encodeMessage({ entries: chosen.map(({ segment, identity }) => ({ segment, identity })) });
}

async function* validations(
  { proofs }: MarketServiceDeps,
  from: PeerName,
  request: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const { period, entries } = decodeMessage(ValidationsRequest, request, from, PROTOCOL.validations);
  const names = entries.map(({ segment, identity }) => ({ segment, identity: address(Uint8Array.from(identity)) }));
  const ascends = names.every((name, index) => index === 0 || replicaNameOrder(names[index - 1]!, name) < 0);
  if (!ascends) throw new PeerFault(from, 'bad-list', 'the entries must ascend by segment, then identity');
  const sealed = proofs?.seal(period, names) ?? null;
  if (sealed !== null) yield encodeMessage({ ...sealed });
}

async function* findingsSecret(
  { proofs }: MarketServiceDeps,
  from: PeerName,
  request: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const { period } = decodeMessage(FindingsSecretRequest, request, from, PROTOCOL.findingsSecret);
  const secret = proofs?.secret(period) ?? null;
  if (secret !== null) yield encodeMessage({ ...secret });
}

function bitCount(bits: Uint8Array): number {
  let count = 0;
  for (const byte of bits) for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

function requireRate(rates: Map<PeerName, TokenBucket>, peer: PeerName, nowMs: number): void {
  let bucket = rates.get(peer);
  if (bucket === undefined) {
    if (rates.size >= PEERS_REMEMBERED_MAX) rates.clear();
    bucket = new TokenBucket(SIGNATURES_PER_SECOND, SIGNATURES_PER_SECOND, nowMs);
    rates.set(peer, bucket);
  }
  if (!bucket.take(1, nowMs)) throw new TransportError('busy', `over ${SIGNATURES_PER_SECOND} questions a second`);
}
