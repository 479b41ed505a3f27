/**
 * Which block a sync goes by. The one that the operator trusts; else, from genesis' validators on, the highest block that peers show final by the votes of those to whom they
 * have handed over. Either way the hand-overs up to it are followed and kept first: the new node gives them to others.
 *
 * Invariants: nothing of a peer is believed but what votes show; who shows something false is banned. What cannot be seen from here is a chain forged by validators of
 * long ago, with keys that have nothing to lose any more: against that there is only a block that somebody trusts (docs/protocol.md, "Old keys").
 */
import type { Kernels } from '../../../native/index.ts';
import type { BlockHeader } from '../../codec/index.ts';
import { type Genesis, genesisHeader, type LedgerRules, ledgerRules } from '../../ledger/index.ts';
import type { Transport } from '../../net/transport.ts';
import { genesisRoot } from '../chain/open-root.ts';
import type { HandOverStore } from '../hand-overs/hand-over-store.ts';
import { HandOverWalk, knownByGenesis } from '../hand-overs/hand-over-walk.ts';
import { FinalityFollower } from '../replicator/finality-follower.ts';
import { SignatureChecks } from '../signature-checks.ts';
import { InlineVerifier } from '../threads/index.ts';
import { nobody } from './choose-manifest.ts';
import { FastSyncError } from './fast-sync-error.ts';
import type { PeerPool } from './peer-pool.ts';
import type { TrustedPoint } from './trusted-blocks.ts';

export interface TrustDeps {
  readonly kernels: Kernels;
  readonly genesis: Genesis;
  readonly transport: Transport;
  /** Empty: an earlier attempt's hand-overs are fetched anew. */
  readonly store: HandOverStore;
}

export interface ChosenTrust {
  readonly point: TrustedPoint;
  /** Electorates that have been handed over to, from genesis on. */
  readonly handOvers: number;
}

/** Follows hand-overs, and chooses. @param trust of the operator's Throws `FastSyncError` 'no-honest-peer' */
export async function chooseTrust(
  deps: TrustDeps,
  pool: PeerPool,
  trust: TrustedPoint | undefined,
): Promise<ChosenTrust> {
  const { kernels, genesis, transport, store } = deps;
  await store.clear();
  const rules = ledgerRules(kernels, genesis);
  const signatures = new SignatureChecks(kernels, rules.chainId, new InlineVerifier(kernels), 1);
  const origin = genesisHeader(kernels, genesis, genesisRoot(genesis, kernels));
  const handOvers = new HandOverWalk(
    {
      ...{ kernels, transport, signatures, chainId: rules.chainId },
      keep: ({ electorate, bytes }) => store.append(electorate.epoch, bytes),
    },
    knownByGenesis(genesis, origin),
  );
  if (trust !== undefined) {
    for (const peer of pool.used) await pool.try(peer, ({ name }) => handOvers.follow(name, trust.height));
    return { point: trust, handOvers: store.count };
  }
  const heads = await shownFinal(pool, { kernels, transport, signatures, rules, handOvers, genesis: origin });
  const highest = heads.sort((a, b) => b.height - a.height)[0];
  if (highest !== undefined) return { point: highest, handOvers: store.count };
  if (pool.used.length === 0) throw nobody(pool);
  throw new FastSyncError('no-honest-peer', `no peer showed a final block: name one with --trust. ${pool.summary}`);
}

type ShownBy = Omit<ConstructorParameters<typeof FinalityFollower>[0], 'keepSlots' | 'rules'> & {
  readonly rules: LedgerRules;
};

/** What each peer shows to be final. */
async function shownFinal(pool: PeerPool, deps: ShownBy): Promise<BlockHeader[]> {
  const heads: BlockHeader[] = [];
  for (const peer of pool.used) {
    const answer = await pool.try(peer, async ({ name }) => {
      const follower = new FinalityFollower({ ...deps, keepSlots: 0 });
      await follower.update(name);
      return follower.head;
    });
    if (answer?.value !== undefined && answer.value.height > 0) heads.push(answer.value);
  }
  return heads;
}
