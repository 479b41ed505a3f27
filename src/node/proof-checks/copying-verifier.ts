/**
 * A validator that copies, for demonstrations and tests (`faults.byzantine: copying-verifier`): it checks nothing, seals an approval of everything, and decides
 * when it has seen the others' words whether to stand by it. That is the best a copier can do: later it can seal nothing, and what it sealed it cannot change; so
 * it says what the others say where that is an approval, and keeps its secret for itself where they rejected something.
 */
import type { Hasher } from '../../codec/index.ts';
import { type LedgerRules, periodOfSlot, readReplicas, WordReader } from '../../ledger/index.ts';
import type { ChainBlock } from '../chain/chain-block.ts';

/**
 * Whether a copier shows its secret of a period: when no validator has been seen to reject a proof of it, and one has been seen to speak of each.
 * @param seat its own
 */
export function copierSpeaks(
  hasher: Hasher,
  rules: LedgerRules,
  { state, header }: Pick<ChainBlock, 'state' | 'header'>,
  period: number,
  seat: number,
): boolean {
  const words = new WordReader(hasher, state, period);
  for (const replica of readReplicas(state)) {
    const { proof, nextPeriod, validatorCount } = replica.record;
    if (proof === null || nextPeriod !== period + 1) continue;
    const others = Array.from({ length: validatorCount }, (_, each) => each)
      .filter((each) => each !== seat)
      .map((each) => words.word(each, replica, proof));
    if (others.includes('invalid')) return false;
    const isLastChance = periodOfSlot(rules.replication, header.slot + 1) > period;
    if (!others.includes('valid') && !isLastChance) return false;
  }
  return true;
}
