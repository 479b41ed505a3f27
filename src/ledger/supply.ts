/**
 * Conservation of units: balances, what identities hold (deposits and locked rewards) and what was evicted together are the genesis supply, after every block, to the unit.
 */
import type { StateOp, StateReader } from '../../storage/state-reader.ts';
import { EVICTIONS_KEY, readEvictions } from './evictions/evictions-record.ts';
import { invariant } from './invariant.ts';
import { heldUnits, readIdentities, readIdentity } from './replication/identity.ts';
import { IDENTITY_PREFIX, identityOfKey } from './replication/record-key.ts';

/** The sum of what identities hold: deposits and locked rewards. @throws RecordError */
export function totalDeposits(state: StateReader): bigint {
  let held = 0n;
  for (const { record } of readIdentities(state)) held += heldUnits(record);
  return held;
}

/** Units evicted and not revived. @throws RecordError */
export function evictedUnits(state: StateReader): bigint {
  return readEvictions(state).units;
}

/** All units: `balances` must give every account's balance in `state` once (the state's reader cannot list accounts). */
export function totalSupply(balances: Iterable<bigint>, state: StateReader): bigint {
  let supply = totalDeposits(state) + evictedUnits(state);
  for (const balance of balances) supply += balance;
  return supply;
}

/** How many units a block's ops add to (or take from) what `parent` holds: 0n for every block that keeps the rules. */
export function supplyChange(ops: Iterable<StateOp>, parent: StateReader, after: StateReader): bigint {
  let change = 0n;
  for (const op of ops) change += changeOf(op, parent, after);
  return change;
}

/** Throws unless a block's ops conserve units: an oracle for tests, simulators and careful nodes. */
export function assertSupplyKept(ops: Iterable<StateOp>, parent: StateReader, after: StateReader): void {
  const change = supplyChange(ops, parent, after);
  invariant(change === 0n, 'supply', () => `a block changes the supply by ${change}`);
}

function changeOf(op: StateOp, parent: StateReader, after: StateReader): bigint {
  switch (op.kind) {
    case 'putAccount':
      return op.balance - parent.balance(op.address);
    case 'deleteAccount':
      return -parent.balance(op.address);
    case 'putRecord':
    case 'deleteRecord':
      return unitsOf(after, op.key) - unitsOf(parent, op.key);
    default:
      return bondOp(op.kind);
  }
}

function bondOp(kind: string): never {
  invariant(false, 'argument', () => `an op of kind ${kind}, which no transaction of this ledger makes`);
}

/** What a record holds of the supply: a deposit with locked rewards, or all that is evicted. */
function unitsOf(state: StateReader, key: Uint8Array): bigint {
  if (key[0] === IDENTITY_PREFIX[0]) {
    const record = readIdentity(state, identityOfKey(key));
    return record === undefined ? 0n : heldUnits(record);
  }
  return key[0] === EVICTIONS_KEY[0] ? evictedUnits(state) : 0n;
}
