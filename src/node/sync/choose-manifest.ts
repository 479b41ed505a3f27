/**
 * Which manifest a state sync goes by: peers are asked all at once, and again when they fail; of the true ones the highest first op counts.
 *
 * Every true manifest would do. The highest first op means the least to fetch, and is what honest peers all say; so a liar can only make
 * it better. Who answers late is judged all the same, and may serve pieces.
 */
import type { CheckedManifest } from '../../../storage/index.ts';
import { FastSyncError } from './fast-sync-error.ts';
import { fetchManifest, type ManifestFound, type StateQuestions } from './fetch-state.ts';
import type { PeerPool, SyncPeer } from './peer-pool.ts';

/** How long others are waited for once a manifest is there. */
const PATIENCE_MS = 3_000;

export interface ChosenManifest {
  readonly checked: CheckedManifest;
  /** Peers that gave one with that first op: to blame should no batch begin there. */
  readonly givers: readonly SyncPeer[];
}

/** Asks, and chooses. Throws `FastSyncError` 'pruned', 'no-honest-peer'; what is not a peer's failure. */
export async function chooseManifest(pool: PeerPool, questions: StateQuestions): Promise<ChosenManifest> {
  const found = new Map<SyncPeer, CheckedManifest>();
  const { target } = questions.check;
  let isTooOld = false;
  let onFirst = (): void => {};
  const first = new Promise<void>((resolve) => {
    onFirst = resolve;
  });
  const all = Promise.all(
    pool.used.map(async (peer) => {
      const answer = await manifestOf(pool, peer, questions);
      if (answer === undefined) return;
      if ('pruned' in answer) {
        isTooOld ||= target.height < answer.pruned.first;
        pool.leave(peer, `it serves the states of heights ${answer.pruned.first} .. ${answer.pruned.last}`);
        return;
      }
      found.set(peer, answer);
      onFirst();
    }),
  );
  await Promise.race([all, first.then(() => pool.pause(PATIENCE_MS))]);
  all.catch(() => {});
  const firstOp = Math.max(...[...found.values()].map(({ manifest }) => manifest.firstOp));
  const chosen = [...found].filter(([, { manifest }]) => manifest.firstOp === firstOp);
  if (chosen[0] === undefined) throw isTooOld ? tooOld(target.height, pool) : nobody(pool);
  return { checked: chosen[0][1], givers: chosen.map(([peer]) => peer) };
}

/** One peer's manifest, asked for until it answers or falls out. */
async function manifestOf(
  pool: PeerPool,
  peer: SyncPeer,
  questions: StateQuestions,
): Promise<ManifestFound | undefined> {
  while (peer.state === 'used') {
    await pool.pause(pool.putOffMs(peer));
    const answer = await pool.try(peer, ({ name }) => fetchManifest(questions, name));
    if (answer !== undefined) return answer.value;
  }
  return undefined;
}

function tooOld(height: number, pool: PeerPool): FastSyncError {
  return new FastSyncError(
    'pruned',
    `no peer keeps the state of height ${height} any more: trust a newer block. ${pool.summary}`,
  );
}

/** Nobody is left to ask. */
export function nobody(pool: PeerPool): FastSyncError {
  return new FastSyncError('no-honest-peer', `no peer led to the trusted block: ${pool.summary}`);
}
