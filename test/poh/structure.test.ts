import { describe, expect, it } from 'vitest';
import { pohCount } from '../../native/index.ts';
import type { Entry } from '../../src/codec/index.ts';
import { checkStructure, type StructureFault } from '../../src/poh/index.ts';
import { genesis, makeBlock, parameters } from './chain.ts';

type Shape = Pick<Entry, 'kind' | 'count'>;
const at = (kind: Entry['kind'], count: number): Shape => ({ kind, count: pohCount(count) });
/** A slot of 4 ticks of 16 steps, from 64 to 128. */
const check = (...entries: Shape[]) => checkStructure(parameters, 64, 128, entries);
const ticks = [at('tick', 80), at('tick', 96), at('tick', 112), at('tick', 128)];

describe('structure of a block', () => {
  it('accepts what the generator makes, skipped slots included', () => {
    for (const slotNumber of [1, 2, 5]) {
      const block = makeBlock(genesis, slotNumber);
      expect(checkStructure(parameters, 0, slotNumber * 64, block.entries)).toBeUndefined();
      expect(block.entries.length).toBe(1 + 4 * slotNumber);
    }
    expect(check(at('parent', 65), at('transactions', 66), ...ticks)).toBeUndefined();
    expect(check(at('parent', 79), ...ticks)).toBeUndefined();
    expect(check(at('parent', 65), ...ticks.slice(0, 3), at('votes', 127), ticks[3]!)).toBeUndefined();
  });

  it.each<[StructureFault, number, Shape[]]>([
    ['empty', 0, []],
    ['count-order', 0, [at('parent', 64), ...ticks]],
    ['count-order', 1, [at('parent', 70), at('votes', 70), ...ticks]],
    ['parent-missing', 0, [...ticks]],
    ['parent-missing', 0, [at('transactions', 65), at('parent', 66), ...ticks]],
    ['parent-repeated', 1, [at('parent', 65), at('parent', 66), ...ticks]],
    ['mixin-on-tick', 0, [at('parent', 80), ...ticks.slice(1)]],
    ['tick-missing', 0, [at('parent', 81), ...ticks.slice(1)]],
    ['tick-missing', 2, [at('parent', 65), ticks[0]!, ticks[2]!, ticks[3]!]],
    ['tick-missing', 2, [at('parent', 65), ticks[0]!, at('votes', 97), ...ticks.slice(1)]],
    ['tick-misplaced', 1, [at('parent', 65), at('tick', 79), ...ticks]],
    ['mixin-on-tick', 2, [at('parent', 65), ticks[0]!, at('votes', 96), ...ticks.slice(2)]],
    ['end-wrong', 3, [at('parent', 65), ...ticks.slice(0, 3)]],
    ['end-wrong', 5, [at('parent', 65), ...ticks, at('votes', 129)]],
    ['end-wrong', 5, [at('parent', 65), ...ticks, at('tick', 144)]],
  ])('%s at entry %i', (fault, entryIndex, entries) => {
    expect(check(...entries)).toEqual({ entryIndex, fault });
  });
});
