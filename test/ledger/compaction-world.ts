/**
 * Blocks that touch accounts and are compacted, without transactions around them: the compaction rule on a log model and a plain state, with
 * every bound of the rule checked block by block.
 */
import { type Address, address } from '../../native/index.ts';
import { type CompactionOutcome, compact } from '../../src/ledger/compaction.ts';
import { assertSupplyKept, Overlay, rewardPoolAddress, totalSupply } from '../../src/ledger/index.ts';
import type { StateOp } from '../../storage/state-reader.ts';
import { LogModel } from '../../tools/bench/log-model.ts';
import { hasher, kernels, MapState } from './fixture.ts';

export const POOL: Address = rewardPoolAddress(hasher);

/** Account `number`'s address: the number, and zeros. */
export function addressAt(number: number): Address {
  const bytes = new Uint8Array(20);
  new DataView(bytes.buffer).setUint32(0, number, false);
  bytes[19] = 1;
  return address(bytes);
}

export interface BlockReport extends CompactionOutcome {
  /** Keys touched before compaction; at most 2 more are written and not moved. */
  readonly touched: number;
  /** Ops of the batch, head not counted. */
  readonly ops: readonly StateOp[];
  readonly height: number;
}

export class CompactionWorld {
  readonly state: MapState = new MapState();
  readonly log: LogModel = new LogModel();
  readonly rate: bigint;

  /** Genesis funds accounts 0 .. n - 1 and the pool. */
  constructor(rate: bigint, balances: readonly bigint[]) {
    this.rate = rate;
    const ops = balances.map(
      (balance, number): StateOp => ({ kind: 'putAccount', address: addressAt(number), balance }),
    );
    this.#commit([...ops, { kind: 'putAccount', address: POOL, balance: 0n }]);
  }

  /** One block. @param act touches what it likes; units may only be moved */
  block(act: (overlay: Overlay) => void = () => {}): BlockReport {
    const { log, state } = this;
    const overlay = new Overlay(state);
    act(overlay);
    const touched = overlay.touchedCount;
    const rules = { rent: { microunitsPerByteBlock: this.rate }, rewardPool: POOL };
    const outcome = compact(kernels, rules, overlay, log);
    const ops = overlay.ops();
    assertSupplyKept(ops, state, overlay);
    const floor = log.floor;
    this.#commit(ops);
    // What is written and not moved: touched before, the pool when rent is charged, the record of evictions.
    const written = ops.length - outcome.moves;
    if (written > touched + 2) throw new RangeError(`${written} keys written, ${touched} were touched before`);
    if (outcome.moves > written + 1) throw new RangeError(`${outcome.moves} moves for ${written} keys written`);
    if (log.floor < floor) throw new RangeError(`the floor fell from ${floor} to ${log.floor}`);
    return { ...outcome, touched, ops, height: log.height };
  }

  /** W / L: how much larger the log is than what lives in it. */
  get spread(): number {
    const { opCount, floor, activeCount } = this.log;
    return (opCount - floor) / activeCount;
  }

  balance(number: number): bigint {
    return this.state.balance(addressAt(number));
  }

  get supply(): bigint {
    return totalSupply(this.state.balances.values(), this.state);
  }

  #commit(ops: readonly StateOp[]): void {
    this.state.apply(ops);
    this.log.append(ops);
  }
}

/** Moves units between two accounts, as a transfer without a fee does. */
export function pay(overlay: Overlay, from: number, to: number, value: bigint): void {
  const held = overlay.balance(addressAt(from));
  const paid = value < held ? value : held;
  overlay.debit(addressAt(from), paid);
  overlay.credit(addressAt(to), paid);
}
