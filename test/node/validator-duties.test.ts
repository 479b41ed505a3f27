/** What validators send besides votes: here a leader's nomination of a secondary, whose deadline the ledger must take. */
import { expect, it } from 'vitest';
import { slot } from '../../native/index.ts';
import { type Payload, signingKey } from '../../src/codec/index.ts';
import type { Electorate } from '../../src/consensus/index.ts';
import type { Genesis, LedgerRules } from '../../src/ledger/index.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { ValidatorDuties } from '../../src/node/duties/validator-duties.ts';
import type { Logger } from '../../src/node/log.ts';

const keys = [1, 2, 3].map((number) => signingKey(new Uint8Array(32).fill(number)));
const electorate = {
  ...{ epoch: 0, era: 0, majorityFloor: false, secondary: null, handOver: false, deposed: null },
  members: keys.map(({ publicKey }, seat) => ({
    ...{ publicKey, seat, weight: 1n, inCurrent: true, inPrevious: true, excluded: false },
  })),
} as Electorate;

/** What the first of three sends while it leads, at a best block of slot 100. */
function sentByLeader(consensus: { readonly timeoutSlots: number; readonly slotsPerEpoch: number }): Payload[] {
  const best = { header: { slot: slot(100) }, electorate } as unknown as ChainBlock;
  const sent: Payload[] = [];
  const duties = new ValidatorDuties({
    key: keys[0]!,
    genesis: { consensus } as Genesis,
    rules: {} as LedgerRules,
    best: () => best,
    final: () => best,
    isLeading: () => true,
    send: async (payload) => void sent.push(payload),
    log: {} as Logger,
  });
  duties.look();
  duties.look();
  return sent;
}

it.each([
  { timeoutSlots: 4, slotsPerEpoch: 32, deadline: 116 },
  { timeoutSlots: 4, slotsPerEpoch: 8, deadline: 108 },
])('a leader nominates the next in rank, once, with a deadline within an epoch: %o', ({ deadline, ...consensus }) => {
  const secondary = keys[1]!.publicKey;
  expect(sentByLeader(consensus)).toEqual([{ kind: 'nominate', secondary, deadlineSlot: deadline }]);
});
