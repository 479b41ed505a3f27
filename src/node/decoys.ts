/**
 * When a leader makes a block a decoy: by a coin nobody else can know, where the next slot is surely its own, so that it can own up at once.
 *
 * Never twice in a row, never with an uneven gap before it, never at the end of a term, never alone.
 */
import type { Slot } from '../../native/index.ts';
import { DECOY_SECRET_SIZE_BYTES } from '../codec/index.ts';
import type { ConsensusFields } from '../ledger/index.ts';
import type { ChainBlock } from './chain/chain-block.ts';

export interface DecoyDeps {
  readonly consensus: Pick<ConsensusFields, 'decoyIntervalSlots' | 'termSlots'>;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  /** The node is about to stop: it might not live to own up. */
  readonly isStopping: () => boolean;
}

/** The secret of a decoy for this slot; null as a rule. */
export function decoySecret(
  { consensus, randomBytes, isStopping }: DecoyDeps,
  { header, electorate }: ChainBlock,
  slot: Slot,
): Uint8Array | null {
  const { decoyIntervalSlots, termSlots } = consensus;
  if (decoyIntervalSlots === 0 || isStopping() || slot !== header.slot + 1) return null;
  const isInTerm = termSlots === 0 || Math.floor((slot + 1) / termSlots) === Math.floor(header.slot / termSlots);
  if (!isInTerm || electorate.handOver || electorate.members.length < 2) return null;
  const coin = Buffer.from(randomBytes(6)).readUIntBE(0, 6);
  return coin * decoyIntervalSlots < 2 ** 48 ? randomBytes(DECOY_SECRET_SIZE_BYTES) : null;
}
