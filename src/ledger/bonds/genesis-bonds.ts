/**
 * What batch 0 holds of stake: the genesis validators' bonds and records, the first epoch, and who judges in it.
 *
 * A validator's seat is its rank. Genesis is in epoch 0 and era 0, and final; it has no name yet (its header's hash covers this state), so the first block writes that down.
 */
import { slot, ZERO_HASH } from '../../../native/index.ts';
import type { StateOp } from '../../../storage/state-reader.ts';
import { addressOf, type Hasher } from '../../codec/index.ts';
import type { Electorate } from '../../consensus/electorate.ts';
import type { Genesis } from '../genesis-schema.ts';
import { byteOrder } from '../state-key.ts';
import { type Bond, encodeStatus, encodeValidator } from './bond.ts';
import { newBond } from './bond-transactions.ts';
import { membersFrom } from './electorate-after.ts';
import { encodeElectorateRecord, recordOf } from './electorate-record.ts';
import { encodeEpoch } from './epoch-record.ts';
import { ELECTORATE_KEY, EPOCH_KEY, PROGRESS_KEY, SEATS_KEY, validatorKey } from './keys.ts';
import { encodeProgress } from './progress-record.ts';
import { NO_SEATS, withSeat } from './seat-set.ts';
import { encodeSeatsTaken } from './seats-record.ts';

function genesisBonds({ validators }: Pick<Genesis, 'validators'>): Bond[] {
  return validators.map(({ publicKey, bond }, rank) => ({
    ...newBond(addressOf(publicKey), publicKey, bond, rank, slot(0)),
    fromEra: 0,
  }));
}

/** Who judges and leads the first blocks: what a light client starts from. */
export function genesisElectorate(genesis: Pick<Genesis, 'validators'>): Electorate {
  const members = membersFrom(genesisBonds(genesis), 0, NO_SEATS);
  return { epoch: 0, era: 0, members, majorityFloor: false, secondary: null, handOver: false, deposed: null };
}

/** The bonds by address, each followed by its validator record; then the epoch, progress, seats and electorate records. */
export function genesisStakeOps(hasher: Hasher, genesis: Pick<Genesis, 'validators'>): StateOp[] {
  const { validators } = genesis;
  const bonds = genesisBonds(genesis).sort((a, b) => byteOrder(a.address, b.address));
  const origin = { slot: slot(0), hash: ZERO_HASH };
  const epoch = encodeEpoch({
    judges: [{ epoch: 0, era: 0, majorityFloor: false, excluded: NO_SEATS, parent: ZERO_HASH }],
    eraFirstSlot: slot(0),
    finalSlot: slot(0),
    fullEpochs: 0,
    stalledEpochs: 0,
  });
  const leader = validators[0]!.publicKey;
  const progress = {
    handOver: false,
    judgeEpoch: 0,
    blocks: 0,
    leader,
    justified: origin,
    final: origin,
    present: NO_SEATS,
  };
  const taken = bonds.reduce((seats, { seat }) => withSeat(seats, seat), NO_SEATS);
  return [
    ...bonds.flatMap((bond): StateOp[] => [
      { kind: 'putBond', address: bond.address, ...encodeStatus(bond) },
      { kind: 'putRecord', key: validatorKey(bond.address), value: encodeValidator(bond) },
    ]),
    { kind: 'putRecord', key: EPOCH_KEY, value: epoch },
    { kind: 'putRecord', key: PROGRESS_KEY, value: encodeProgress(progress) },
    { kind: 'putRecord', key: SEATS_KEY, value: encodeSeatsTaken(taken) },
    {
      kind: 'putRecord',
      key: ELECTORATE_KEY,
      value: encodeElectorateRecord(recordOf(hasher, genesisElectorate(genesis))),
    },
  ];
}
