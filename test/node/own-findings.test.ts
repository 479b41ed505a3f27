/** What a validator sends of its findings by itself, and how often, where nobody gathers anything. */
import { describe, expect, it } from 'vitest';
import { electorateAfter } from '../../src/ledger/index.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { FindingsBook } from '../../src/node/proof-checks/findings-book.ts';
import { OwnFindings } from '../../src/node/proof-checks/own-findings.ts';
import type { Draft } from '../ledger/fixture.ts';
import { kernels, MarketWorld, type Signer } from '../ledger/market-world.ts';

/** Period 1 is slots 40 .. 79: proofs up to 50, sealed findings up to 54, verdicts up to 90. */
function lone(valid: boolean) {
  const one = new MarketWorld({
    replication: { slotsPerPeriod: 40, proofDeadlineSlots: 10, sealSlots: 4, periodsPerRotation: 9 },
  });
  const [who] = one.replicators;
  const validator = one.validators[1] as Signer;
  one.done([one.register(who!)]);
  one.done([one.commit(who!, 0, 0)]);
  one.reach(41);
  one.done([one.prove(who!, 0, 1)]);
  const { rules } = one.chain;
  const book = new FindingsBook(kernels, rules.chainId, validator.signing);
  const name = { segment: 0, identity: who!.address };
  book.enter({ ...name, period: 1, valid, reason: valid ? 'unstated' : 'encoding', foundSlot: one.slot });
  const drafts: Draft[] = [];
  const own = new OwnFindings({
    ...{ rules, book },
    send: async (payload, fees) => {
      drafts.push({ from: validator, payload, fee: BigInt(fees) });
    },
  });
  const final = () => {
    const electorate = electorateAfter(rules, one.chain.state);
    return { header: { slot: one.slot }, state: one.chain.state, electorate } as unknown as ChainBlock;
  };
  /** Every block of a period and more is final at once, and holds what was sent on the one before, up to a slot. */
  const live = async (landsUpTo: number): Promise<string[]> => {
    const sent: string[] = [];
    while (one.slot < 100) {
      await own.send(final(), one.seat(validator));
      const landing = drafts.splice(0);
      sent.push(...landing.map(({ payload }) => `${payload.kind} ${one.slot}`));
      one.done(one.slot < landsUpTo ? landing : []);
    }
    return sent;
  };
  return { one, live, who: who! };
}

describe('own findings', () => {
  it('are sealed, opened and settled without anybody’s help; where weight lacks, a few times and no more', async () => {
    for (const valid of [true, false]) {
      const { live, one, who } = lone(valid);
      const first = valid ? 57 : 55;
      // Sealed two slots after it was found; a rejection is opened as soon as it may, an approval when others had their time.
      expect(await live(100)).toEqual([
        'validations 44',
        ...[first, first + 4, first + 8].map((slot) => `unseal ${slot}`),
      ]);
      expect(one.replica(who)!.proof!.state).toBe('pending');
    }
  });

  it('that do not land are sent again: sealed ones while they may be, a secret until verdicts close', async () => {
    expect(await lone(true).live(0)).toEqual(['validations 44', 'validations 48', 'validations 52']);
    expect(await lone(true).live(50)).toEqual([
      'validations 44',
      ...[57, 61, 65, 69, 73, 77, 81, 85, 89].map((slot) => `unseal ${slot}`),
    ]);
  });
});
