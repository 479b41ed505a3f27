/**
 * Getting what is missing: single blocks by hash (a vote's target, an orphan's parent) and stretches of a peer's chain.
 *
 * Requests are repeated with growing pauses and then given up; what is still missed will be asked for again when something
 * refers to it. A stretch is asked for only as far as verification has come (`validHeight + rangeBlocksMax`): that is the brake when an
 * observer follows thousands of blocks.
 */

import type { Hash, Height } from '../../native/index.ts';
import { byteKey } from '../../native/index.ts';
import type { PeerName } from './model.ts';
import type { ConsensusState, WantedBlock } from './state.ts';
import { emit, wakeBy } from './state.ts';

/** Repeats of a range request, in slots. */
const RANGE_RETRY_SLOTS = 4;
/** Most doublings of the pause between two requests for one block. */
const PAUSE_DOUBLINGS_MAX = 4;

/** Asks for a block after `delayMs`, unless it is here or asked for already. */
export function want(state: ConsensusState, hash: Hash, from: PeerName | null, delayMs: number): void {
  const key = byteKey(hash);
  if (state.wanted.has(key) || state.nodes.has(key) || state.pending.has(key) || state.invalid.has(key)) return;
  if (state.wanted.size >= state.rules.limits.wantedBlocksMax) return;
  state.wanted.set(key, { hash, from, nextMs: state.nowMs + delayMs, attempts: 0 });
}

/**
 * A chain up to `height` is said to exist: the stretch above the tree is fetched. `floorHeight` > 0: from there instead, once (a
 * deep fork: the peer's chain leaves ours somewhere between the root and here).
 */
export function wantRange(state: ConsensusState, height: number, peer: PeerName | null, floorHeight = 0): void {
  const { sync } = state;
  if (floorHeight > 0 && sync.floorHeight === 0 && state.nowMs >= sync.nextMs) {
    sync.floorHeight = floorHeight;
    sync.floorTargetHeight = height;
    sync.peer = peer;
  }
  if (height <= sync.targetHeight || height <= state.topHeight) return;
  sync.targetHeight = height;
  sync.attempts = 0;
  sync.peer = peer;
}

/** Sends what is due. */
export function requestIfDue(state: ConsensusState): void {
  for (const [key, wanted] of state.wanted) requestBlockIfDue(state, key, wanted);
  requestRangeIfDue(state);
}

function requestBlockIfDue(state: ConsensusState, key: string, wanted: WantedBlock): void {
  if (state.nowMs < wanted.nextMs) {
    wakeBy(state, wanted.nextMs);
    return;
  }
  if (wanted.attempts >= state.rules.limits.wantedAttemptsMax) {
    state.wanted.delete(key);
    return;
  }
  const from = wanted.attempts === 0 ? wanted.from : null;
  emit(state, { kind: 'requestBlock', hash: wanted.hash, from });
  const pauseMs = state.rules.parameters.slotDurationMs * 2 ** Math.min(wanted.attempts, PAUSE_DOUBLINGS_MAX);
  wanted.attempts += 1;
  wanted.nextMs = state.nowMs + pauseMs;
  wakeBy(state, wanted.nextMs);
}

function requestRangeIfDue(state: ConsensusState): void {
  const { sync } = state;
  if (sync.floorHeight > 0) requestFork(state);
  if (sync.targetHeight <= state.topHeight) sync.targetHeight = 0;
  if (sync.targetHeight === 0) return;
  const complete = state.topHeight >= sync.askedHeight;
  if (complete) sync.attempts = 0;
  else if (state.nowMs < sync.nextMs) {
    wakeBy(state, sync.nextMs);
    return;
  } else if (sync.attempts >= state.rules.limits.wantedAttemptsMax) {
    sync.targetHeight = 0;
    return;
  }
  const reach = state.validHeight + state.rules.limits.rangeBlocksMax;
  const toHeight = Math.min(sync.targetHeight, reach);
  if (toHeight <= state.topHeight) return;
  sync.attempts += 1;
  sync.askedHeight = toHeight;
  emitRange(state, state.topHeight + 1, toHeight);
}

/** Asks any peer for what its chain holds from `fromHeight` on; nothing known makes it likely that there is anything. */
export function pollPeers(state: ConsensusState, fromHeight: number): void {
  emitRange(state, fromHeight, fromHeight + state.rules.limits.rangeBlocksMax - 1);
}

function requestFork(state: ConsensusState): void {
  const { sync } = state;
  const toHeight = Math.min(sync.floorTargetHeight, sync.floorHeight + state.rules.limits.rangeBlocksMax - 1);
  emitRange(state, sync.floorHeight, toHeight);
  sync.floorHeight = 0;
}

function emitRange(state: ConsensusState, fromHeight: number, toHeight: number): void {
  const { sync } = state;
  const from = sync.peer;
  emit(state, { kind: 'requestRange', fromHeight: fromHeight as Height, toHeight: toHeight as Height, from });
  sync.peer = null;
  sync.nextMs = state.nowMs + RANGE_RETRY_SLOTS * state.rules.parameters.slotDurationMs;
  wakeBy(state, sync.nextMs);
}
