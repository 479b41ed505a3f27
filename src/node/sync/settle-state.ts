/**
 * The state of a trusted header, from peers that may lie, into the quarantine.
 *
 * Invariant: what is settled has the header's root; a manifest that led elsewhere has cost its givers their places, and nothing of it is kept.
 */
import { type CheckedManifest, StorageError, SyncFault, type SyncStage } from '../../../storage/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import { chooseManifest } from './choose-manifest.ts';
import { FastSyncError } from './fast-sync-error.ts';
import type { StateQuestions } from './fetch-state.ts';
import type { PeerPool, SyncPeer } from './peer-pool.ts';
import { downloadState } from './state-download.ts';
import type { SyncGround } from './sync-ground.ts';

/** Brings the staged state to a header's. Throws `FastSyncError`; what the own disk throws. */
export function settleState(ground: SyncGround, pool: PeerPool, stage: SyncStage, header: BlockHeader): Promise<void> {
  return new StateSettling(ground, pool, stage).run(header);
}

class StateSettling {
  readonly #ground: SyncGround;
  readonly #pool: PeerPool;
  readonly #stage: SyncStage;

  constructor(ground: SyncGround, pool: PeerPool, stage: SyncStage) {
    this.#ground = ground;
    this.#pool = pool;
    this.#stage = stage;
  }

  /** From whoever has it; begins anew where a manifest turns out to be a lie. */
  async run(header: BlockHeader): Promise<void> {
    const { options, transport, timers, chainId, stateSegmentSizeBytes } = this.#ground;
    const target = { height: header.height, root: header.stateRoot };
    const check = { kernels: options.kernels, chainId, target, segmentSizeBytes: stateSegmentSizeBytes };
    const questions = { transport, timers, check };
    for (;;) {
      const { checked, givers } = await chooseManifest(this.#pool, questions);
      try {
        await this.#download(questions, checked);
        break;
      } catch (error) {
        await this.#anewAfter(error, givers);
      }
    }
    try {
      await this.#stage.settleState(target);
    } catch (error) {
      // Every op was proven: what does not add up is in the trusted header itself.
      if (!(error instanceof StorageError) || error.code !== 'wrong-root') throw error;
      await this.#stage.discardState();
      throw new FastSyncError('inconsistent', `the trusted block's state does not hold together: ${error.message}`);
    }
  }

  async #download(questions: StateQuestions, checked: CheckedManifest): Promise<void> {
    const { meter, options } = this.#ground;
    const pool = this.#pool;
    const state = await this.#stage.openState(checked);
    const { firstOp, opCount } = checked.manifest;
    const report = (bytes: number): void => meter.state(state.lowestMissing - firstOp, opCount - firstOp, bytes);
    report(0);
    await downloadState({ ...questions, pool, stage: state, onPiece: ({ frame }) => report(frame.length) });
    if (!state.isWhole)
      throw new FastSyncError(
        pool.verdicts.every(({ verdict }) => verdict === 'banned') ? 'no-honest-peer' : 'incomplete',
        `${state.lowestMissing - firstOp} of ${opCount - firstOp} ops are there and stay in ${options.dataDirectory}.sync; ` +
          `run the command again to go on. ${pool.summary}`,
      );
    await state.finish();
  }

  /** Clears the way for another try; throws what another try cannot mend. */
  async #anewAfter(error: unknown, givers: readonly SyncPeer[]): Promise<void> {
    if (error instanceof SyncFault) for (const peer of givers) await this.#pool.ban(peer, error.code, error.message);
    else if (error instanceof StorageError && error.code === 'too-large')
      throw new FastSyncError('too-large', error.message);
    else if (error instanceof StorageError && error.code === 'wrong-place')
      throw new FastSyncError('inconsistent', `the trusted block's op log does not hold together: ${error.message}`);
    else if (!(error instanceof StorageError) || error.code !== 'wrong-root') throw error;
    this.#ground.options.log.warn({ error: (error as Error).message }, 'what was staged leads elsewhere: thrown away');
    await this.#stage.discardState();
  }
}
