/** A validator's proof checker with its parts: own transactions for the verdicts, copies of segments it has pruned, openings from replicators. */
import { availableParallelism } from 'node:os';
import type { ChainNodeOptions } from '../chain-options.ts';
import type { ChainParts } from '../chain-parts.ts';
import type { Logger } from '../log.ts';
import type { OwnTransactions } from '../own-transactions.ts';
import type { StatusMessage } from '../protocols.ts';
import type { Verifier } from '../threads/verifier.ts';
import { FindingsBook } from './findings-book.ts';
import { holdersOf, Openings } from './openings.ts';
import { ProofChecker } from './proof-checker.ts';
import { SegmentCopies } from './segment-copies.ts';

type Parts = Pick<ChainParts, 'key' | 'kernels' | 'genesis' | 'rules' | 'store' | 'transport' | 'peers'>;

/** Null for a node without a key. It works while its key has a seat. */
export function openProofChecker(
  parts: Parts,
  own: OwnTransactions,
  verifier: Verifier,
  { log, byzantine }: Pick<ChainNodeOptions, 'log' | 'byzantine'>,
): ProofChecker | null {
  const { key, rules, genesis, kernels, transport, peers, store } = parts;
  if (key === null) return null;
  const copies = segmentCopies(parts, log);
  const holders = (publicKey: Uint8Array): string[] => holdersOf(peers.statuses, publicKey);
  const openings = new Openings({ kernels, transport, genesis, holders, log });
  return new ProofChecker({
    genesis,
    rules,
    verifier,
    // One core is the leader's or the voter's: the pool keeps a thread free for it as well.
    lanes: Math.max(1, availableParallelism() - 1),
    publicKey: key.publicKey,
    book: new FindingsBook(kernels, rules.chainId, key),
    segment: (at, mayFetch) => (mayFetch ? copies.get(at) : store.segment(at)),
    segmentRoot: (at) => store.segmentRoot(at),
    openings: (proofs, slot) => openings.fetchAll(proofs, slot),
    send: (payload, fees) => own.send(payload, rules.minimumFee * BigInt(fees)),
    approvesUnseen: byzantine === 'lazy-verifier',
    copies: byzantine === 'copying-verifier' ? kernels : null,
    log,
  });
}

function segmentCopies({ kernels, transport, genesis, store, peers }: Parts, log: Logger): SegmentCopies {
  // Archives first, then replicators, which read segments out of their replicas; a validator has pruned what this one has.
  const rank = ({ role, startHeight }: StatusMessage): number =>
    role === 'archive' ? startHeight : role === 'replicator' ? Number.MAX_SAFE_INTEGER - 1 : Number.MAX_SAFE_INTEGER;
  const sources = (): string[] => [...peers.statuses].sort(([, a], [, b]) => rank(a) - rank(b)).map(([peer]) => peer);
  return new SegmentCopies({ kernels, transport, shape: genesis.history, store, sources, log });
}
