/** A validator's proof checker with its parts: own transactions for the verdicts, copies of segments it has pruned, openings from replicators. */
import { availableParallelism } from 'node:os';
import type { SigningKey } from '../../codec/index.ts';
import { seatOf } from '../../ledger/index.ts';
import type { ChainParts } from '../chain-parts.ts';
import type { Logger } from '../log.ts';
import { OwnTransactions } from '../own-transactions.ts';
import type { StatusMessage } from '../protocols.ts';
import type { Verifier } from '../threads/verifier.ts';
import { FindingsBook } from './findings-book.ts';
import { holdersOf, Openings } from './openings.ts';
import { ProofChecker } from './proof-checker.ts';
import { SegmentCopies } from './segment-copies.ts';

type Parts = Pick<
  ChainParts,
  'key' | 'kernels' | 'genesis' | 'rules' | 'store' | 'tree' | 'transport' | 'peers' | 'submissions'
>;

/** Null for a node that is no validator of this network. @param wallClockMs now, in ms since 1970: own counters start above any of an earlier run */
export function openProofChecker(
  parts: Parts,
  verifier: Verifier,
  log: Logger,
  wallClockMs: number,
): ProofChecker | null {
  const { key, rules, genesis, kernels, transport, peers, store } = parts;
  const seat = key === null ? -1 : seatOf(rules, key.publicKey);
  if (key === null || seat < 0) return null;
  const own = ownTransactions(parts, key, wallClockMs);
  const copies = segmentCopies(parts, log);
  const holders = (publicKey: Uint8Array): string[] => holdersOf(peers.statuses, publicKey);
  const openings = new Openings({ kernels, transport, genesis, holders, log });
  return new ProofChecker({
    genesis,
    rules,
    verifier,
    // One core is the leader's or the voter's: the pool keeps a thread free for it as well.
    lanes: Math.max(1, availableParallelism() - 1),
    seat,
    book: new FindingsBook(rules.chainId, seat, key),
    segment: (at, mayFetch) => (mayFetch ? copies.get(at) : store.segment(at)),
    segmentRoot: (at) => store.segmentRoot(at),
    openings: (proofs, slot) => openings.fetchAll(proofs, slot),
    send: (payload) => own.send(payload),
    log,
  });
}

function ownTransactions(
  { kernels, rules, tree, submissions }: Parts,
  key: SigningKey,
  wallClockMs: number,
): OwnTransactions {
  return new OwnTransactions({
    kernels,
    key,
    minimumFee: rules.minimumFee,
    counterStart: BigInt(wallClockMs) << 20n,
    finalHead: () => tree.root.header,
    submit: (transaction) => submissions.submitOwn(transaction),
  });
}

function segmentCopies({ kernels, transport, genesis, store, peers }: Parts, log: Logger): SegmentCopies {
  // Archives first, then replicators, which read segments out of their replicas; a validator has pruned what this one has.
  const rank = ({ role, startHeight }: StatusMessage): number =>
    role === 'archive' ? startHeight : role === 'replicator' ? Number.MAX_SAFE_INTEGER - 1 : Number.MAX_SAFE_INTEGER;
  const sources = (): string[] => [...peers.statuses].sort(([, a], [, b]) => rank(a) - rank(b)).map(([peer]) => peer);
  return new SegmentCopies({ kernels, transport, shape: genesis.history, store, sources, log });
}
