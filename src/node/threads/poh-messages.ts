/** What passes between the node and its PoH thread; every message is one request, reply or event, delivered in order. */
import type { MessagePort } from 'node:worker_threads';
import type { Hash, PohCount, Slot } from '../../../native/index.ts';
import type { PohParameters } from '../../poh/index.ts';
import type { PohStart } from './poh-service.ts';
import type { ThreadErrorCode } from './thread-error.ts';

/** To the thread. `id` names the call in its reply; a start's id also names the run in the run's events. */
export type PohRequest =
  | { readonly kind: 'start'; readonly id: number; readonly at: PohStart }
  | { readonly kind: 'openSlot'; readonly id: number; readonly slot: Slot; readonly parentHash: Hash }
  | { readonly kind: 'mixin'; readonly id: number; readonly slot: Slot; readonly digest: Uint8Array };

/** From the thread, in answer to a call. */
export type PohReply =
  | { readonly kind: 'point'; readonly id: number; readonly count: PohCount; readonly hash: Hash }
  | { readonly kind: 'closed'; readonly id: number }
  | { readonly kind: 'refused'; readonly id: number; readonly code: ThreadErrorCode; readonly message: string };

/** From the thread, of its own accord. */
export interface PohNotice {
  readonly kind: 'tick' | 'slotEnd';
  readonly run: number;
  readonly slot: Slot;
  readonly count: PohCount;
  readonly hash: Hash;
}
export type PohEvent = PohReply | PohNotice;

/** What the generator needs to know of genesis. */
export interface PohPace {
  readonly parameters: PohParameters;
  /** Wall time of a slot, in ms, > 0. */
  readonly slotDurationMs: number;
}

/** What the PoH thread is started with. */
export interface PohWorkerData extends PohPace {
  readonly port: MessagePort;
  /** Int32[1]: rises with every request; the thread sleeps on it. */
  readonly wake: SharedArrayBuffer;
  /** Float64[FIGURE_COUNT], written by the thread. */
  readonly figures: SharedArrayBuffer;
}

/** Places of the figures in the shared array. */
export const FIGURE = {
  hashesPerSecond: 0,
  capacityPerSecond: 1,
  ticksBehind: 2,
  heldMs: 3,
  slippedMs: 4,
} as const;
export const FIGURE_COUNT = 5;
