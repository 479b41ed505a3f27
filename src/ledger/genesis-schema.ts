/**
 * The shape of a genesis file: every field with its range, and the relations between fields. Validation only; genesis.ts owns what follows.
 *
 * Invariants: a value that passes is complete (no defaults are filled in, so that a file says all that its chain id covers), has no field
 * this build does not know, and every refusal names the field, what was found and what would be right.
 */
import { z } from 'zod';
import { type Address, AMOUNT_MAX, type Amount, amount, byteKey, type PublicKey } from '../../native/index.ts';
import { CodecError, parseAddress, parsePublicKey } from '../codec/index.ts';
import { type ConsensusFields, checkStakeRelations } from './bonds/stake-rules.ts';
import { RENT_RATE_MAX } from './rent.ts';
import {
  DRAWS_MAX,
  LOCKOUT_PERIODS_MAX,
  type MarketRules,
  marketProblems,
  PERMILLE,
  REPLICAS_PER_SEGMENT_MAX,
  REPLICATION_MODES,
} from './replication/market-rules.ts';

/** Most validators a genesis may name: two bits for each stand in every replica record. */
export const VALIDATORS_MAX = 1024;
/** Most accounts a genesis may fund. */
export const GENESIS_ACCOUNTS_MAX = 1_000_000;
/** Most PoH steps a slot: one slot's count fits a signed 32-bit integer, as the kernels take it. */
export const HASHES_PER_SLOT_MAX = 0x7fff_ffff;

export interface GenesisValidator {
  readonly publicKey: PublicKey;
  /** Weight in votes and elections, and a part of the supply: the bond table has it from batch 0. */
  readonly bond: Amount;
}
export interface GenesisAccount {
  readonly address: Address;
  readonly balance: Amount;
}

/** A chain's parameters and first state. Validators are in order of rank, accounts in order of address. */
export interface Genesis {
  readonly format: 1;
  /** 1 .. 64 characters of a-z, 0-9 and -. */
  readonly name: string;
  readonly poh: { readonly hashesPerTick: number; readonly ticksPerSlot: number; readonly slotDurationMs: number };
  readonly transactions: {
    readonly recencyWindowSlots: number;
    readonly minimumFee: Amount;
    readonly blockTransactionsMax: number;
  };
  readonly consensus: ConsensusFields;
  readonly history: { readonly segmentSizeBytes: number; readonly leafSizeBytes: number };
  readonly replication: MarketRules & { readonly sampleBlockSizeBytes: number };
  readonly rent: { readonly microunitsPerByteBlock: bigint };
  readonly validators: readonly GenesisValidator[];
  readonly accounts: readonly GenesisAccount[];
}

/** What was found, short enough for an error message. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** An integer field within a range; `unit` says what it counts. */
function integer(min: number, max: number, unit: string): z.ZodNumber {
  const error = (issue: { input?: unknown }): string =>
    `must be an integer from ${min} to ${max} (${unit}), found ${shown(issue.input)}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** Turns a text parser's refusal into an issue of the field it stands in. */
function parsed<T>(what: string, parse: (text: string) => T): z.ZodType<T> {
  return z
    .string({ error: (issue) => `must be ${what}, found ${shown(issue.input)}` })
    .transform((text, context): T => {
      try {
        return parse(text);
      } catch (cause) {
        if (!(cause instanceof CodecError)) throw cause;
        context.addIssue({ code: 'custom', message: `must be ${what}, found ${shown(text)}: ${cause.message}` });
        return z.NEVER;
      }
    });
}

const DECIMAL = /^(0|[1-9][0-9]{0,19})$/;

function parseAmount(text: string): Amount {
  const value = DECIMAL.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value > AMOUNT_MAX)
    throw new CodecError('range', 'amount', 'write digits only, at most 18446744073709551615');
  return amount(value);
}

const amountField: z.ZodType<Amount> = parsed('an amount as a decimal string', parseAmount);
const positiveAmountField: z.ZodType<Amount> = amountField.refine((value) => value > 0n, {
  error: 'must be more than 0',
});
const rentRateField: z.ZodType<bigint> = parsed(
  `millionths of a unit as a decimal string, at most ${RENT_RATE_MAX}`,
  (text): bigint => {
    const value = DECIMAL.test(text) ? BigInt(text) : undefined;
    if (value === undefined || value > RENT_RATE_MAX)
      throw new CodecError('range', 'rate', `write digits only, at most ${RENT_RATE_MAX}; 0 for no rent`);
    return value;
  },
);
const addressField: z.ZodType<Address> = parsed('an address (bech32m, cairn1...)', (text) =>
  parseAddress(text, 'address'),
);
const publicKeyField: z.ZodType<PublicKey> = parsed('a public key (base58 of 32 bytes)', (text) =>
  parsePublicKey(text, 'key'),
);

const fields = z.strictObject({
  format: z.literal(1, {
    error: (issue) => `must be 1, the only genesis format this build reads, found ${shown(issue.input)}`,
  }),
  name: z
    .string({ error: (issue) => `must be a string, found ${shown(issue.input)}` })
    .regex(/^[a-z0-9-]{1,64}$/, { error: (issue) => `must be 1 to 64 of a-z, 0-9 and -, found ${shown(issue.input)}` }),
  poh: z.strictObject({
    hashesPerTick: integer(1, HASHES_PER_SLOT_MAX, 'PoH steps'),
    ticksPerSlot: integer(1, 10_000, 'ticks'),
    slotDurationMs: integer(10, 600_000, 'milliseconds'),
  }),
  transactions: z.strictObject({
    recencyWindowSlots: integer(1, 100_000, 'slots'),
    minimumFee: amountField,
    blockTransactionsMax: integer(1, 1_000_000, 'transactions'),
  }),
  consensus: z.strictObject({
    timeoutSlots: integer(1, 10_000, 'slots'),
    unfinalizedBlocksMax: integer(4, 4096, 'blocks'),
    slotsPerEpoch: integer(8, 1_000_000, 'slots'),
    staleEpochsFast: integer(1, 65_535, 'epochs'),
    staleEpochsSlow: integer(2, 65_535, 'epochs'),
    staleEpochsVerySlow: integer(0, 65_535, 'epochs, 0 for never'),
    voteLateSlotsMax: integer(1, 10_000, 'slots'),
    unbondingEpochs: integer(2, 1_000_000, 'epochs'),
    minimumBond: positiveAmountField,
    termSlots: integer(0, 1_000_000, 'slots, 0 for no term'),
    decoyIntervalSlots: integer(0, 1_000_000, 'slots, 0 for none'),
  }),
  history: z.strictObject({
    segmentSizeBytes: integer(1024, 2 ** 30, 'bytes'),
    leafSizeBytes: integer(32, 2 ** 20, 'bytes'),
  }),
  replication: z.strictObject({
    sampleBlockSizeBytes: integer(32, 2 ** 26, 'bytes'),
    slotsPerPeriod: integer(4, 1_000_000, 'slots'),
    periodsPerRotation: integer(1, 4096, 'periods'),
    minimumDeposit: amountField,
    rewardPerProof: amountField,
    mode: z.enum(REPLICATION_MODES, {
      error: (issue) => `must be stream, open or both, found ${shown(issue.input)}`,
    }),
    layers: z.literal([1, 2, 4], { error: (issue) => `must be 1, 2 or 4 (layers), found ${shown(issue.input)}` }),
    samplesPerProof: integer(1, DRAWS_MAX, 'leaves'),
    checksPerProof: integer(0, DRAWS_MAX, 'blocks'),
    replicasPerSegment: integer(1, REPLICAS_PER_SEGMENT_MAX, 'replicas'),
    depositPerReplica: amountField,
    rewardLockoutPeriods: integer(0, LOCKOUT_PERIODS_MAX, 'periods'),
    proofDeadlineSlots: integer(1, 2_000_000, 'slots'),
    sealSlots: integer(1, 1_000_000, 'slots'),
    missesMax: integer(0, 1_000_000, 'periods'),
    slashPerMissPermille: integer(0, PERMILLE, 'thousandths'),
    slashPerFakePermille: integer(0, PERMILLE, 'thousandths'),
    fakeSharePermille: integer(0, PERMILLE / 2, 'thousandths'),
  }),
  rent: z.strictObject({ microunitsPerByteBlock: rentRateField }),
  validators: z
    .array(z.strictObject({ publicKey: publicKeyField, bond: positiveAmountField }), {
      error: (issue) => `must be a list of {publicKey, bond}, found ${shown(issue.input)}`,
    })
    .min(1, { error: 'must name at least one validator' })
    .max(VALIDATORS_MAX, { error: `must name at most ${VALIDATORS_MAX} validators` }),
  accounts: z
    .array(z.strictObject({ address: addressField, balance: amountField }), {
      error: (issue) => `must be a list of {address, balance}, found ${shown(issue.input)}`,
    })
    .max(GENESIS_ACCOUNTS_MAX, { error: `must fund at most ${GENESIS_ACCOUNTS_MAX} accounts` }),
});

type Fields = z.output<typeof fields>;
type Complain = (path: readonly (string | number)[], message: string) => void;

/** Relations between fields; each complaint stands at the field to change. */
function checkRelations(genesis: Fields, complain: Complain): void {
  const { poh, transactions, consensus, history, replication } = genesis;
  const hashesPerSlot = poh.hashesPerTick * poh.ticksPerSlot;
  if (hashesPerSlot > HASHES_PER_SLOT_MAX)
    complain(
      ['poh', 'hashesPerTick'],
      `times ticksPerSlot must be at most ${HASHES_PER_SLOT_MAX}, found ${hashesPerSlot}`,
    );
  if (transactions.recencyWindowSlots <= consensus.timeoutSlots)
    complain(
      ['transactions', 'recencyWindowSlots'],
      `must be more than consensus.timeoutSlots (${consensus.timeoutSlots}), or a change of leader outdates every transaction; found ${transactions.recencyWindowSlots}`,
    );
  for (const [field, sizeBytes] of [
    ['history.leafSizeBytes', history.leafSizeBytes],
    ['replication.sampleBlockSizeBytes', replication.sampleBlockSizeBytes],
  ] as const)
    if (history.segmentSizeBytes % sizeBytes !== 0)
      complain(
        ['history', 'segmentSizeBytes'],
        `must be a multiple of ${field} (${sizeBytes}), found ${history.segmentSizeBytes}`,
      );
  if (replication.sampleBlockSizeBytes % 16 !== 0)
    complain(
      ['replication', 'sampleBlockSizeBytes'],
      `must be a multiple of 16 (the cipher's block), found ${replication.sampleBlockSizeBytes}`,
    );
  checkStakeRelations(consensus, complain);
  for (const [index, { bond }] of genesis.validators.entries())
    if (bond < consensus.minimumBond)
      complain(
        ['validators', index, 'bond'],
        `must be at least consensus.minimumBond (${consensus.minimumBond}), found ${bond}`,
      );
  for (const [field, message] of marketProblems(replication, history)) complain(['replication', field], message);
  checkSum(genesis.accounts, (account) => account.balance, ['accounts'], 'the sum of balances', complain);
  checkSum(genesis.validators, (validator) => validator.bond, ['validators'], 'the sum of bonds', complain);
  checkSum(
    [...genesis.accounts.map(({ balance }) => balance), ...genesis.validators.map(({ bond }) => bond)],
    (units) => units,
    ['accounts'],
    'the supply (balances and bonds)',
    complain,
  );
  checkUnique(genesis.accounts, (account) => account.address, 'accounts', 'address', complain);
  checkUnique(genesis.validators, (validator) => validator.publicKey, 'validators', 'publicKey', complain);
}

function checkSum<T>(
  items: readonly T[],
  value: (item: T) => bigint,
  path: string[],
  what: string,
  complain: Complain,
): void {
  let sum = 0n;
  for (const item of items) sum += value(item);
  if (sum > AMOUNT_MAX) complain(path, `${what} must be at most 2^64 - 1 (${AMOUNT_MAX}), found ${sum}`);
}

function checkUnique<T>(
  items: readonly T[],
  bytes: (item: T) => Uint8Array,
  list: string,
  field: string,
  complain: Complain,
): void {
  const seen = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const key = byteKey(bytes(item));
    const first = seen.get(key);
    if (first === undefined) seen.set(key, index);
    else complain([list, index, field], `is the same as ${list}[${first}].${field}: name each once`);
  }
}

/** Validates a parsed genesis document; its output has the file's order of validators and accounts. */
export const genesisSchema: z.ZodType<Genesis> = fields.superRefine((genesis, context) =>
  checkRelations(genesis, (path, message) => context.addIssue({ code: 'custom', path: [...path], message })),
);
