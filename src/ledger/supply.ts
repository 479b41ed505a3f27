/**
 * Conservation of units: balances and deposits together are the genesis supply, after every block, to the unit.
 */
import type { StateOp, StateReader } from '../../storage/state-reader.ts';
import { invariant } from './invariant.ts';
import { readIdentities, readIdentity } from './replication/identity.ts';
import { IDENTITY_PREFIX, identityOfKey } from './replication/record-key.ts';

/** The sum of all deposits. @throws RecordError */
export function totalDeposits(state: StateReader): bigint {
  let deposits = 0n;
  for (const { record } of readIdentities(state)) deposits += record.deposit;
  return deposits;
}

/** All units: `balances` must give every account's balance in `state` once (the state's reader cannot list accounts). */
export function totalSupply(balances: Iterable<bigint>, state: StateReader): bigint {
  let supply = totalDeposits(state);
  for (const balance of balances) supply += balance;
  return supply;
}

/** How many units a block's ops add to (or take from) what `parent` holds: 0n for every block that keeps the rules. */
export function supplyChange(ops: Iterable<StateOp>, parent: StateReader, after: StateReader): bigint {
  let change = 0n;
  for (const op of ops) {
    if (op.kind === 'putAccount') change += op.balance - parent.balance(op.address);
    else if (op.key[0] === IDENTITY_PREFIX[0]) change += depositOf(after, op.key) - depositOf(parent, op.key);
  }
  return change;
}

/** Throws unless a block's ops conserve units: an oracle for tests, simulators and careful nodes. */
export function assertSupplyKept(ops: Iterable<StateOp>, parent: StateReader, after: StateReader): void {
  const change = supplyChange(ops, parent, after);
  invariant(change === 0n, 'supply', () => `a block changes the supply by ${change}`);
}

function depositOf(state: StateReader, key: Uint8Array): bigint {
  return readIdentity(state, identityOfKey(key))?.deposit ?? 0n;
}
