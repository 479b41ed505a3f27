/** What the consensus machine has found, as the ledger wants it told: the offence of an evidence transaction. */
import type { Offence } from '../../codec/index.ts';
import type { Evidence } from '../../consensus/index.ts';

/** The offence to put before the chain; null for a report that proves nothing to others. */
export function offenceOf(evidence: Evidence): Offence | null {
  switch (evidence.kind) {
    case 'doubleVote':
      return { kind: 'doubleVote', first: evidence.a, second: evidence.b };
    case 'surroundVote': {
      // First the outer one: the older source.
      const isOuter = evidence.a.sourceSlot < evidence.b.sourceSlot;
      const [first, second] = isOuter ? [evidence.a, evidence.b] : [evidence.b, evidence.a];
      return { kind: 'surroundVote', first, second };
    }
    case 'doubleProposal':
      return { kind: 'doubleProposal', first: evidence.a, second: evidence.b };
    case 'decoyVote':
      return { kind: 'decoyVote', secret: evidence.secret, vote: evidence.vote };
    case 'invalidBlock':
      return null;
  }
}
