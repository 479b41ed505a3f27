/**
 * Genesis: the file that starts a chain, its canonical bytes, the chain id, and the state and header of block 0.
 *
 * Canonical form (docs/format/records.md): JSON without spaces, the keys of every object sorted, amounts as decimal strings, public keys in
 * base58, addresses in bech32m, validators in order of rank (bond descending, then key descending), accounts in ascending order of
 * address. So two files that say the same start the same chain, however they are laid out.
 */
import type { z } from 'zod';
import { type Address, type Hash, hash, height, pohCount, signature, slot, ZERO_HASH } from '../../native/index.ts';
import { encodeBatch } from '../../storage/oplog/batch.ts';
import type { BatchPlace, StateOp } from '../../storage/state-reader.ts';
import {
  type BlockHeader,
  decodeHeader,
  encodeBase58,
  encodeHeader,
  formatAddress,
  type Hasher,
  SIGNATURE_SIZE_BYTES,
  taggedHash,
} from '../codec/index.ts';
import { genesisStakeOps } from './bonds/genesis-bonds.ts';
import { rewardPoolAddress } from './fees.ts';
import { type Genesis, type GenesisValidator, genesisSchema } from './genesis-schema.ts';
import { byteOrder } from './state-key.ts';

/** Largest genesis file read, in bytes: over a million accounts. */
export const GENESIS_SIZE_BYTES_MAX: number = 128 * 1024 * 1024;
/** Most complaints one error carries. */
const ISSUES_MAX = 8;
const CHAIN_ID_TAG: Uint8Array = new TextEncoder().encode('cairn/genesis/1');

/** What is wrong with one field. */
export interface GenesisIssue {
  /** Dotted path, e.g. `accounts[3].balance`; empty for the document itself. */
  readonly field: string;
  readonly message: string;
}
export type GenesisErrorCode = 'too-large' | 'not-utf8' | 'not-json' | 'invalid-field';

/** A genesis file that is refused; `issues` names up to 8 fields, the message all of those. */
export class GenesisError extends Error {
  override readonly name = 'GenesisError';
  readonly code: GenesisErrorCode;
  readonly issues: readonly GenesisIssue[];
  constructor(code: GenesisErrorCode, issues: readonly GenesisIssue[]) {
    super(
      `genesis: ${issues.map(({ field, message }) => (field === '' ? message : `${field} ${message}`)).join('; ')}`,
    );
    this.code = code;
    this.issues = issues;
  }
}

/** Parameters that suit a devnet on one machine; `cairn init` and tests start from these. Amounts as in the file. */
export const DEVNET_PARAMETERS = {
  format: 1,
  name: 'cairn-devnet',
  poh: { hashesPerTick: 5000, ticksPerSlot: 10, slotDurationMs: 500 },
  transactions: { recencyWindowSlots: 300, minimumFee: '1', blockTransactionsMax: 50_000 },
  consensus: {
    timeoutSlots: 4,
    unfinalizedBlocksMax: 256,
    slotsPerEpoch: 32,
    staleEpochsFast: 2,
    staleEpochsSlow: 4,
    staleEpochsVerySlow: 0,
    voteLateSlotsMax: 8,
    unbondingEpochs: 4,
    minimumBond: '1',
    termSlots: 0,
    decoyIntervalSlots: 0,
  },
  history: { segmentSizeBytes: 1_048_576, leafSizeBytes: 1024 },
  replication: {
    sampleBlockSizeBytes: 65_536,
    slotsPerPeriod: 20,
    periodsPerRotation: 3,
    minimumDeposit: '1000',
    rewardPerProof: '10',
    mode: 'stream',
    layers: 1,
    samplesPerProof: 2759,
    checksPerProof: 64,
    replicasPerSegment: 4,
    depositPerReplica: '100',
    rewardLockoutPeriods: 2,
    proofDeadlineSlots: 9,
    sealSlots: 5,
    missesMax: 3,
    slashPerMissPermille: 250,
    slashPerFakePermille: 100,
    fakeSharePermille: 50,
  },
  // The first unit falls due at height 31,250: four hours in.
  rent: { microunitsPerByteBlock: '1' },
} as const;

/**
 * Reads a genesis file.
 * @param file its bytes or text, untrusted
 * @throws GenesisError
 */
export function parseGenesis(file: Uint8Array | string): Genesis {
  if (file.length > GENESIS_SIZE_BYTES_MAX)
    throw complaint('too-large', `must be at most ${GENESIS_SIZE_BYTES_MAX} bytes, found ${file.length}`);
  return genesisFrom(parseJson(typeof file === 'string' ? file : decodeUtf8(file)));
}

/** Validates a document as `JSON.parse` gives it (amounts, keys and addresses as text). @throws GenesisError */
export function genesisFrom(document: unknown): Genesis {
  const result = genesisSchema.safeParse(document);
  if (!result.success) throw new GenesisError('invalid-field', issuesOf(result.error));
  const { validators, accounts } = result.data;
  return { ...result.data, validators: [...validators].sort(byRank), accounts: [...accounts].sort(byAddress) };
}

/** The canonical document: what the file should say, for writing one. */
export function genesisDocument(genesis: Genesis): Record<string, unknown> {
  const { transactions, consensus, replication, rent } = genesis;
  return {
    ...genesis,
    transactions: { ...transactions, minimumFee: String(transactions.minimumFee) },
    consensus: { ...consensus, minimumBond: String(consensus.minimumBond) },
    replication: {
      ...replication,
      minimumDeposit: String(replication.minimumDeposit),
      rewardPerProof: String(replication.rewardPerProof),
      depositPerReplica: String(replication.depositPerReplica),
    },
    rent: { microunitsPerByteBlock: String(rent.microunitsPerByteBlock) },
    validators: genesis.validators.map(({ publicKey, bond }) => ({
      publicKey: encodeBase58(publicKey),
      bond: String(bond),
    })),
    accounts: genesis.accounts.map(({ address, balance }) => ({
      address: formatAddress(address),
      balance: String(balance),
    })),
  };
}

/** The bytes that the chain id covers. */
export function canonicalGenesis(genesis: Genesis): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(withSortedKeys(genesisDocument(genesis))));
}

/** SHA-256('cairn/genesis/1' || canonical bytes): the chain's name, and the PoH hash at count 0. */
export function chainIdOf(hasher: Hasher, genesis: Genesis): Hash {
  return taggedHash(hasher, CHAIN_ID_TAG, canonicalGenesis(genesis));
}

/** All units there will ever be: the sum of genesis balances and bonds. */
export function genesisSupply(genesis: Genesis): bigint {
  let supply = 0n;
  for (const { balance } of genesis.accounts) supply += balance;
  for (const { bond } of genesis.validators) supply += bond;
  return supply;
}

/** Ops of batch 0: one `putAccount` for each genesis account and the reward pool, in ascending order of address; then all stake. */
export function genesisOps(hasher: Hasher, genesis: Genesis): StateOp[] {
  const pool = rewardPoolAddress(hasher);
  const funded = genesis.accounts.some(({ address }) => byteOrder(address, pool) === 0);
  const accounts = funded ? genesis.accounts : [...genesis.accounts, { address: pool, balance: 0n }].sort(byAddress);
  const funds = accounts.map(({ address, balance }): StateOp => ({ kind: 'putAccount', address, balance }));
  return [...funds, ...genesisStakeOps(hasher, genesis)];
}

/** Where batch 0 stands: at the log's start, hanging on the chain id. */
export function genesisPlace(chainId: Hash): BatchPlace {
  return { height: 0, previousFrameSizeBytes: 0, frameOffset: 0, floor: 0, previousDigest: chainId };
}

/** Batch 0, encoded. */
export function genesisBatch(hasher: Hasher, genesis: Genesis): Uint8Array {
  return encodeBatch(genesisPlace(chainIdOf(hasher, genesis)), genesisOps(hasher, genesis));
}

/**
 * The header of block 0. It is known to everybody, so its signature is zero; the validator of highest rank counts as its leader.
 * @param stateRoot root after batch 0
 */
export function genesisHeader(hasher: Hasher, genesis: Genesis, stateRoot: Hash): BlockHeader {
  const chainId = chainIdOf(hasher, genesis);
  const emptyTreeRoot = hash(hasher.sha256(new Uint8Array(0)));
  const bytes = encodeHeader({
    chainId,
    height: height(0),
    slot: slot(0),
    parentHash: ZERO_HASH,
    pohCount: pohCount(0),
    pohHash: chainId,
    entriesRoot: emptyTreeRoot,
    transactionCount: 0,
    stateRoot,
    historyLength: 0,
    segmentCount: 0,
    segmentsRoot: emptyTreeRoot,
    leader: genesis.validators[0]!.publicKey,
    signature: signature(new Uint8Array(SIGNATURE_SIZE_BYTES)),
  });
  return decodeHeader(hasher, bytes);
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw complaint('not-utf8', 'must be UTF-8 text');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw complaint('not-json', `must be JSON: ${(cause as Error).message}`);
  }
}

function complaint(code: GenesisErrorCode, message: string): GenesisError {
  return new GenesisError(code, [{ field: '', message }]);
}

function issuesOf(error: z.ZodError): GenesisIssue[] {
  return error.issues.slice(0, ISSUES_MAX).map((issue) => ({ field: dotted(issue.path), message: issue.message }));
}

/** `['accounts', 3, 'balance']` as `accounts[3].balance`. */
function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

function withSortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withSortedKeys);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, withSortedKeys(inner)]));
}

/** Order of rank: the larger bond first, then the higher key. */
function byRank(a: GenesisValidator, b: GenesisValidator): number {
  if (a.bond !== b.bond) return a.bond > b.bond ? -1 : 1;
  return byteOrder(b.publicKey, a.publicKey);
}

function byAddress(a: { readonly address: Address }, b: { readonly address: Address }): number {
  return byteOrder(a.address, b.address);
}
