/**
 * What batch 0 holds of stake: the genesis validators' bonds and records, and the first epoch.
 *
 * A validator's seat is its rank. Genesis is in epoch 0 and era 0, and final; it has no name yet (its header's hash covers this state), so the first block writes that down.
 */
import { slot, ZERO_HASH } from '../../../native/index.ts';
import type { StateOp } from '../../../storage/state-reader.ts';
import { addressOf } from '../../codec/index.ts';
import type { Genesis } from '../genesis-schema.ts';
import { byteOrder } from '../state-key.ts';
import { type Bond, encodeStatus, encodeValidator } from './bond.ts';
import { newBond } from './bond-transactions.ts';
import { encodeEpoch } from './epoch-record.ts';
import { EPOCH_KEY, PROGRESS_KEY, SEATS_KEY, validatorKey } from './keys.ts';
import { encodeProgress } from './progress-record.ts';
import { NO_SEATS, withSeat } from './seat-set.ts';
import { encodeSeatsTaken } from './seats-record.ts';

/** The bonds by address, each followed by its validator record; then the epoch, progress and seats records. */
export function genesisStakeOps({ validators }: Pick<Genesis, 'validators'>): StateOp[] {
  const bonds = validators
    .map(
      ({ publicKey, bond }, rank): Bond => ({
        ...newBond(addressOf(publicKey), publicKey, bond, rank, slot(0)),
        fromEra: 0,
      }),
    )
    .sort((a, b) => byteOrder(a.address, b.address));
  const origin = { slot: slot(0), hash: ZERO_HASH };
  const epoch = encodeEpoch({
    judges: [{ epoch: 0, era: 0, majorityFloor: false, parent: ZERO_HASH }],
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
  ];
}
