/** A validator's proof checker with its parts: own transactions for the verdicts, and copies of segments it has pruned. */
import type { ChainParts } from '../chain-parts.ts';
import type { Logger } from '../log.ts';
import type { OwnTransactions } from '../own-transactions.ts';
import type { Verifier } from '../threads/verifier.ts';
import { ProofChecker } from './proof-checker.ts';
import { SegmentCopies } from './segment-copies.ts';

type Parts = Pick<ChainParts, 'key' | 'kernels' | 'genesis' | 'rules' | 'store' | 'transport' | 'peers'>;

/** Null for a node that is no validator of this network's genesis. */
export function openProofChecker(
  parts: Parts,
  own: OwnTransactions,
  verifier: Verifier,
  log: Logger,
): ProofChecker | null {
  const { key, rules, genesis } = parts;
  const index = key === null ? -1 : rules.validators.indexOf(key.publicKey);
  if (key === null || index < 0) return null;
  const copies = segmentCopies(parts, log);
  return new ProofChecker({
    genesis,
    rules,
    verifier,
    index,
    segment: (at) => copies.get(at),
    send: (payload) => own.send(payload),
    log,
  });
}

function segmentCopies({ kernels, transport, genesis, store, peers }: Parts, log: Logger): SegmentCopies {
  const sources = (): string[] =>
    [...peers.statuses]
      .filter(([, { role }]) => role !== 'replicator')
      .sort(([, a], [, b]) => a.startHeight - b.startHeight)
      .map(([peer]) => peer);
  return new SegmentCopies({ kernels, transport, shape: genesis.history, store, sources, log });
}
