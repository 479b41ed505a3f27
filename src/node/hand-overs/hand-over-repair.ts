/**
 * Asks peers for hand-overs that a chain node should keep and has not: its history was restored without them, or a sync found nobody who had them.
 *
 * Invariants: one question at a time; what comes is followed from what is kept (hand-over-walk.ts); who sends a wrong one is held to account. What does not follow from what is kept
 * may be right, and what is kept of another chain (a sync to a trusted block took it from liars): then all is followed anew, from genesis.
 */
import { readElectorateRecord } from '../../ledger/index.ts';
import { PeerFault, type PeerName } from '../../net/transport.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import type { ChainStore } from '../chain/chain-store.ts';
import type { Logger } from '../log.ts';
import { HandOverWalk, type WalkDeps } from './hand-over-walk.ts';

export interface RepairDeps extends Omit<WalkDeps, 'keep'> {
  readonly store: Pick<ChainStore, 'handOvers' | 'hashOfHeight'>;
  readonly peers: () => readonly PeerName[];
  /** The newest final block. */
  readonly final: () => ChainBlock;
  readonly log: Logger;
}

export class HandOverRepair {
  readonly #deps: RepairDeps;
  #isAsking = false;
  #turn = 0;

  constructor(deps: RepairDeps) {
    this.#deps = deps;
  }

  /** Asks the next peer, when something is missing and nobody is being asked. */
  async look(): Promise<void> {
    const { store, peers, final } = this.#deps;
    if (!store.handOvers.isGapped || this.#isAsking) return;
    const known = peers();
    const peer = known[this.#turn % Math.max(1, known.length)];
    if (peer === undefined) return;
    this.#turn += 1;
    this.#isAsking = true;
    try {
      await this.#ask(peer, final());
    } finally {
      this.#isAsking = false;
    }
  }

  async #ask(peer: PeerName, final: ChainBlock): Promise<void> {
    const { store, transport, log } = this.#deps;
    const book = store.handOvers;
    const { era } = readElectorateRecord(final.state);
    const keep: WalkDeps['keep'] = (handOver) => book.adopt(handOver, (height) => store.hashOfHeight(height));
    try {
      const count = await new HandOverWalk({ ...this.#deps, keep }, book.known).follow(peer, final.header.height);
      if (count > 0) log.info({ peer, count }, 'hand-overs fetched');
    } catch (error) {
      const isOfOther = error instanceof PeerFault && error.code === 'hand-over-members' && !book.isAtGenesis;
      if (isOfOther) await book.restart();
      else if (error instanceof PeerFault) transport.fault(error);
      log.debug({ peer, error: (error as Error).message }, 'no hand-overs');
    }
    book.noteEra(era);
  }
}
