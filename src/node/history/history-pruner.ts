/**
 * Prunes a validator's history as finality advances: old bodies go once the ledger shows enough proven replicas of their segment.
 *
 * Invariants
 * - The rule is read from a final state, at once, before anything is dropped.
 * - One prune at a time; it works in small steps between appends, so it never delays a vote by more than one of them.
 */
import { type LedgerRules, provenBySegment } from '../../ledger/index.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import type { ChainStore } from '../chain/chain-store.ts';
import type { Logger } from '../log.ts';
import type { HistoryKeeping } from './history-keeping.ts';

export interface HistoryPrunerDeps {
  readonly store: Pick<ChainStore, 'stateHeight' | 'kept'>;
  readonly keeping: Extract<HistoryKeeping, { mode: 'pruned' }>;
  readonly rules: LedgerRules;
  /** The last final block. */
  readonly final: () => Pick<ChainBlock, 'header' | 'state'>;
  readonly log: Logger;
  /** Pruning failed as writing fails: nothing more can be kept. */
  readonly onFatal: (error: Error) => void;
}

export class HistoryPruner {
  readonly #deps: HistoryPrunerDeps;
  #working: Promise<void> | undefined;
  #stopped = false;
  #waitingSegments = 0;
  #segmentsAtRisk = 0;

  constructor(deps: HistoryPrunerDeps) {
    this.#deps = deps;
  }

  /** Segments still held only because the ledger shows too few proven replicas of the first of them. */
  get waitingSegments(): number {
    return this.#waitingSegments;
  }

  /** Segments no longer held here of which the ledger now shows fewer proven replicas than it took to let them go. */
  get segmentsAtRisk(): number {
    return this.#segmentsAtRisk;
  }

  /** Prunes what may go by now; joins a prune that is under way. */
  look(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#working ??= this.#prune().finally(() => {
      this.#working = undefined;
    });
    return this.#working;
  }

  /** Resolves when nothing is being pruned any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  async #prune(): Promise<void> {
    const { store, keeping, rules, final, log, onFatal } = this.#deps;
    try {
      const { header, state } = final();
      const proven = provenBySegment(rules, state, header.slot);
      const isSafe = (segment: number): boolean => (proven.get(segment) ?? 0) >= keeping.replicasBeforePruning;
      const result = await store.kept.prune(store.stateHeight - keeping.depthBlocks, isSafe);
      this.#waitingSegments = result.waitingSegments;
      this.#segmentsAtRisk = countUnsafe(store.kept.firstSegment, isSafe);
      const { droppedBlocks, droppedSegments, damagedBlocks } = result;
      if (droppedBlocks > 0) log.info({ droppedBlocks, droppedSegments, damagedBlocks }, 'history pruned');
    } catch (error) {
      if (!this.#stopped) onFatal(error as Error);
    }
  }
}

function countUnsafe(segments: number, isSafe: (segment: number) => boolean): number {
  let count = 0;
  for (let segment = 0; segment < segments; segment += 1) if (!isSafe(segment)) count += 1;
  return count;
}
