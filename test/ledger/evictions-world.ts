/** A chain on which rent evicts whom nobody touches, and a plain list of who was evicted with what kept beside it. */
import { expect } from 'vitest';
import type { RevivePayload } from '../../src/codec/index.ts';
import {
  assertSupplyKept,
  type BlockExecution,
  type Eviction,
  evictionLeaf,
  isRevived,
  type Refusal,
  readEvictions,
  totalSupply,
} from '../../src/ledger/index.ts';
import { inclusionProof } from '../../storage/commitment/inclusion.ts';
import { leafHash, merkleRoot } from '../../storage/commitment/merkle.ts';
import { apply, Chain, document, kernels, type Person, person, transfer } from './fixture.ts';

/** All that was ever evicted, in order. */
export class EvictedList {
  readonly all: Eviction[] = [];
  readonly revived: Set<number> = new Set();

  /** A revival of eviction `index` with a path worked out from the leaves of its mountain alone. */
  payload(index: number, count: number = this.all.length): RevivePayload {
    let first = 0;
    let size = 0;
    for (let bit = 2 ** 20; bit >= 1; bit /= 2) {
      if ((count & bit) === 0) continue;
      size = bit;
      if (index < first + size) break;
      first += size;
    }
    const { balance, height: at } = this.all[index]!;
    const path = inclusionProof(kernels, this.#leaves(first, size), index - first);
    return { kind: 'revive', index, balance, height: at, path };
  }

  /** Peaks, each the Merkle root of its mountain. */
  peaks(): Uint8Array[] {
    const peaks: Uint8Array[] = [];
    let first = 0;
    for (let bit = 2 ** 20; bit >= 1; bit /= 2) {
      if ((this.all.length & bit) === 0) continue;
      peaks.push(merkleRoot(kernels, this.#leaves(first, bit)));
      first += bit;
    }
    return peaks;
  }

  get units(): bigint {
    return this.all.reduce((sum, { balance }, index) => sum + (this.revived.has(index) ? 0n : balance), 0n);
  }

  #leaves(first: number, size: number): Uint8Array {
    return Buffer.concat(
      this.all.slice(first, first + size).map((eviction) => leafHash(kernels, evictionLeaf(eviction))),
    );
  }
}

export const people: Person[] = Array.from({ length: 10 }, (_, n) => person(`person ${n}`));
export const rich: Person = person('rich');
const SUPPLY = 1_000_000n + 10n * 150n + 10n;

/** 32 units a block: 150 units last for four blocks, if nobody touches them. */
export function chainOf(): Chain {
  return new Chain(
    document(
      { rent: { microunitsPerByteBlock: '1000000' }, transactions: { recencyWindowSlots: 1000, minimumFee: '2' } },
      [[rich, 1_000_000n], ...people.map((who) => [who, 150n] as const)],
    ),
    { compacts: true },
  );
}

/** Why a transaction was refused; null when it was taken. */
export type Code = Refusal['code'] | null;

/** A chain, and the list kept beside it. */
export class EvictionsWorld {
  readonly chain: Chain = chainOf();
  readonly list: EvictedList = new EvictedList();
  execution: BlockExecution = this.chain.start(1);

  send(from: Person, payload: RevivePayload, fee = 2n): Code {
    return apply(this.execution, this.chain.transaction({ from, payload, fee }), from);
  }

  pay(from: Person, to: Person, value: bigint): Code {
    return apply(this.execution, this.chain.transaction({ from, payload: transfer(to, value), fee: 2n }), from);
  }

  /** Ends the block, checks the books, and starts the next. */
  endBlock(): void {
    const { chain, execution, list } = this;
    execution.executeVotes([]);
    const outcome = execution.compact(chain.log);
    expect(outcome.first).toBe(list.all.length);
    list.all.push(...outcome.evictions);
    assertSupplyKept(execution.overlay.ops(), chain.state, execution.overlay);
    chain.finish(execution);
    expect(totalSupply(chain.state.balances.values(), chain.state)).toBe(SUPPLY);
    const { units, range } = readEvictions(chain.state);
    expect([range.size, units]).toEqual([list.all.length, list.units]);
    expect(range.peaks.map((peak) => new Uint8Array(peak))).toEqual(list.peaks().map((peak) => new Uint8Array(peak)));
    for (const index of list.all.keys()) expect(isRevived(chain.state, index)).toBe(list.revived.has(index));
    this.execution = chain.start(execution.context.slot + 1);
  }

  owner(index: number): Person {
    return people.find(({ address }) => Buffer.compare(address, this.list.all[index]!.address) === 0)!;
  }

  revive(index: number): Code {
    const code = this.send(this.owner(index), this.list.payload(index));
    if (code === null) this.list.revived.add(index);
    return code;
  }

  /** Ends blocks until somebody was evicted. */
  untilEvicted(count = 1): void {
    for (let blocks = 0; this.list.all.length < count; blocks++) {
      if (blocks === 200) throw new RangeError('nobody was evicted in 200 blocks');
      this.pay(rich, rich, 1n);
      this.endBlock();
    }
  }
}
