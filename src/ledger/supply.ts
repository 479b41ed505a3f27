/**
 * Conservation of units: balances, deposits, bonds and what was evicted together are the genesis supply, after every block, to the unit.
 */
import type { BondReader, StateOp, StateReader } from '../../storage/state-reader.ts';
import { EVICTIONS_KEY, readEvictions } from './evictions/evictions-record.ts';
import { invariant } from './invariant.ts';
import type { LedgerState } from './ledger-state.ts';
import { readIdentities, readIdentity } from './replication/identity.ts';
import { IDENTITY_PREFIX, identityOfKey } from './replication/record-key.ts';

/** The sum of all deposits. @throws RecordError */
export function totalDeposits(state: StateReader): bigint {
  let deposits = 0n;
  for (const { record } of readIdentities(state)) deposits += record.deposit;
  return deposits;
}

/** The sum of all bonds. */
export function totalBonds(state: BondReader): bigint {
  let bonds = 0n;
  for (const [, { bond }] of state.bonds()) bonds += bond;
  return bonds;
}

/** Units evicted and not revived. @throws RecordError */
export function evictedUnits(state: StateReader): bigint {
  return readEvictions(state).units;
}

/** All units: `balances` must give every account's balance in `state` once (the state's reader cannot list accounts). */
export function totalSupply(balances: Iterable<bigint>, state: LedgerState): bigint {
  let supply = totalDeposits(state) + totalBonds(state) + evictedUnits(state);
  for (const balance of balances) supply += balance;
  return supply;
}

/** How many units a block's ops add to (or take from) what `parent` holds: 0n for every block that keeps the rules. */
export function supplyChange(ops: Iterable<StateOp>, parent: LedgerState, after: LedgerState): bigint {
  let change = 0n;
  for (const op of ops) change += changeOf(op, parent, after);
  return change;
}

/** Throws unless a block's ops conserve units: an oracle for tests, simulators and careful nodes. */
export function assertSupplyKept(ops: Iterable<StateOp>, parent: LedgerState, after: LedgerState): void {
  const change = supplyChange(ops, parent, after);
  invariant(change === 0n, 'supply', () => `a block changes the supply by ${change}`);
}

function changeOf(op: StateOp, parent: LedgerState, after: LedgerState): bigint {
  switch (op.kind) {
    case 'putAccount':
      return op.balance - parent.balance(op.address);
    case 'deleteAccount':
      return -parent.balance(op.address);
    case 'putRecord':
    case 'deleteRecord':
      return unitsOf(after, op.key) - unitsOf(parent, op.key);
    case 'putBond':
      return op.bond - bondedBy(parent, op.address);
    case 'deleteBond':
      return -bondedBy(parent, op.address);
  }
}

function bondedBy(state: BondReader, address: Uint8Array): bigint {
  return state.bond(address)?.bond ?? 0n;
}

/** What a record holds of the supply: a deposit, or all that is evicted. */
function unitsOf(state: StateReader, key: Uint8Array): bigint {
  if (key[0] === IDENTITY_PREFIX[0]) return readIdentity(state, identityOfKey(key))?.deposit ?? 0n;
  return key[0] === EVICTIONS_KEY[0] ? evictedUnits(state) : 0n;
}
