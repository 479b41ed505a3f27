/** What a node's own transactions refer to. */
import { expect, it } from 'vitest';
import { headToReferTo } from '../../src/node/own-transactions.ts';

it('own transactions refer to the final block, and in a stall, before that is too old, to the best one', () => {
  const final = { slot: 100 };
  for (const slot of [100, 110, 129]) expect(headToReferTo(final, { slot }, 60)).toBe(final);
  for (const slot of [130, 160, 1000]) expect(headToReferTo(final, { slot }, 60)).toEqual({ slot });
});
