/**
 * `revive`: an evicted account's owner gets back what was evicted, once. The leaf is made of the sender's own address, so no other sender's path can fit.
 *
 * The revived units pay the fee if the sender's account does not hold it: who was evicted often has nothing else.
 */
import type { Address } from '../../../native/index.ts';
import { sameBytes } from '../../../native/index.ts';
import { HASH_SIZE_BYTES, leafHash } from '../../../storage/commitment/merkle.ts';
import type { StateReader } from '../../../storage/state-reader.ts';
import type { RevivePayload } from '../../codec/index.ts';
import type { BlockContext } from '../context.ts';
import type { Overlay } from '../overlay.ts';
import { type Refusal, refuse } from '../refusal.ts';
import { evictionLeaf, mountainOf, peakFromPath } from './eviction.ts';
import { isRevived, markRevived, readEvictions } from './evictions-record.ts';

/** Checks of `revive`, in order: unknown-eviction, already-revived, stale-eviction-path, wrong-eviction. */
export function checkRevive(
  { kernels }: BlockContext,
  state: StateReader,
  payload: RevivePayload,
  sender: Address,
): Refusal | null {
  const { index, balance, height, path } = payload;
  const { range } = readEvictions(state);
  if (index >= range.size)
    return refuse('unknown-eviction', `eviction is ${index}, there have been ${range.size} so far`);
  if (isRevived(state, index)) return refuse('already-revived', `eviction ${index} was revived already`);
  const place = mountainOf(index, range.size);
  if (path.length !== place.level * HASH_SIZE_BYTES)
    return refuse(
      'stale-eviction-path',
      `the path has ${path.length / HASH_SIZE_BYTES} steps, eviction ${index} now needs ${place.level}: ask for it again`,
    );
  const leaf = leafHash(kernels, evictionLeaf({ address: sender, balance, height }));
  if (!sameBytes(peakFromPath(kernels, leaf, place, path), range.peaks[place.mountain]!))
    return refuse(
      'wrong-eviction',
      `eviction ${index} was not of this sender, balance and height, or the path is wrong`,
    );
  return null;
}

/** Applies a checked `revive`; the sender's account has been credited. */
export function applyRevive(overlay: Overlay, payload: RevivePayload): void {
  markRevived(overlay, payload.index, payload.balance);
}
