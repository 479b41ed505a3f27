/**
 * A small chain for the ledger's tests: a naive state, keys without secrets (signature verdicts come from outside anyway), and a builder of
 * transactions in real bytes.
 */
import { createHash } from 'node:crypto';
import {
  type Address,
  type Amount,
  address,
  amount,
  byteKey,
  bytesOfKey,
  type Hash,
  hash,
  type Kernels,
  loadKernels,
  type PublicKey,
  pohCount,
  publicKey,
  signature,
  slot,
} from '../../native/index.ts';
import {
  decodeTransaction,
  encodeBase58,
  encodeTransaction,
  formatAddress,
  type Hasher,
  type Payload,
  type Transaction,
  type Vote,
} from '../../src/codec/index.ts';
import {
  BlockExecution,
  DEVNET_PARAMETERS,
  type Genesis,
  genesisFrom,
  genesisOps,
  type LedgerRules,
  type LedgerState,
  ledgerRules,
  RecentWindow,
  type Refusal,
} from '../../src/ledger/index.ts';
import type { BondState, StateOp } from '../../storage/state-reader.ts';
import { LogModel } from '../../tools/bench/log-model.ts';

export const kernels: Kernels = loadKernels();
export const hasher: Hasher = { sha256: (data) => new Uint8Array(createHash('sha256').update(data).digest()) };

/** A digest that stands for nothing but its name. */
export function named(name: string): Hash {
  return hash(hasher.sha256(new TextEncoder().encode(name)));
}

/** Somebody with a key (no secret: nothing here signs) and the address the tests give it. */
export interface Person {
  readonly key: PublicKey;
  readonly address: Address;
}
export function person(name: string): Person {
  return { key: publicKey(named(`key ${name}`)), address: address(named(`address ${name}`).slice(0, 20)) };
}

/** The plainest state there is. */
export class MapState implements LedgerState {
  readonly balances: Map<string, bigint> = new Map();
  readonly held: Map<string, BondState> = new Map();
  readonly values: Map<string, Uint8Array> = new Map();

  balance(key: Uint8Array): bigint {
    return this.balances.get(byteKey(key)) ?? 0n;
  }
  record(key: Uint8Array): Uint8Array | undefined {
    return this.values.get(byteKey(key));
  }
  *records(prefix: Uint8Array): Iterable<readonly [Uint8Array, Uint8Array]> {
    const wanted = byteKey(prefix);
    for (const key of [...this.values.keys()].filter((one) => one.startsWith(wanted)).sort())
      yield [bytesOfKey(key), this.values.get(key)!];
  }
  bond(key: Uint8Array): BondState | undefined {
    return this.held.get(byteKey(key));
  }
  *bonds(): Iterable<readonly [Uint8Array, BondState]> {
    for (const key of [...this.held.keys()].sort()) yield [bytesOfKey(key), this.held.get(key)!];
  }
  apply(ops: readonly StateOp[]): this {
    for (const op of ops) {
      if (op.kind === 'putAccount') this.balances.set(byteKey(op.address), op.balance);
      else if (op.kind === 'deleteAccount') this.balances.delete(byteKey(op.address));
      else if (op.kind === 'putRecord') this.values.set(byteKey(op.key), op.value.slice());
      else if (op.kind === 'deleteRecord') this.values.delete(byteKey(op.key));
      else if (op.kind === 'deleteBond') this.held.delete(byteKey(op.address));
      else this.held.set(byteKey(op.address), { bond: op.bond, lastVote: op.lastVote, details: op.details.slice() });
    }
    return this;
  }
}

type Parameters = {
  -readonly [K in keyof typeof DEVNET_PARAMETERS]: (typeof DEVNET_PARAMETERS)[K] extends object
    ? { -readonly [F in keyof (typeof DEVNET_PARAMETERS)[K]]?: number | string }
    : unknown;
};

/** A genesis document; `changes` overwrites single parameters. */
export function document(
  changes: Partial<Parameters> = {},
  funded: readonly (readonly [Person, bigint])[] = [],
  bonds: readonly (readonly [Person, bigint])[] = [[person('validator'), 10n]],
): Record<string, unknown> {
  const merged: Record<string, unknown> = { ...DEVNET_PARAMETERS };
  for (const [key, value] of Object.entries(changes))
    merged[key] = typeof value === 'object' ? { ...(merged[key] as object), ...value } : value;
  const replication = merged.replication as { slotsPerPeriod: number; proofDeadlineSlots: number };
  // What any schedule of a test allows, unless it says otherwise.
  const { proofDeadlineSlots = Math.floor(replication.slotsPerPeriod / 4), sealSlots = 1 } = changes.replication ?? {};
  merged.replication = { ...replication, proofDeadlineSlots, sealSlots };
  return {
    ...merged,
    validators: bonds.map(([who, bond]) => ({ publicKey: encodeBase58(who.key), bond: String(bond) })),
    accounts: funded.map(([who, balance]) => ({ address: formatAddress(who.address), balance: String(balance) })),
  };
}

/** What a test sends: a payload by somebody; the rest has defaults. */
export interface Draft {
  readonly from: Person;
  readonly payload: Payload;
  readonly fee?: bigint;
  readonly counter?: bigint;
  readonly lastValidHash?: Uint8Array;
  readonly lastValidCount?: number;
}

/** A chain in which every block is final at once, unless a test works on `execution` itself. */
export class Chain {
  readonly genesis: Genesis;
  readonly rules: LedgerRules;
  readonly state: MapState = new MapState();
  recent: RecentWindow;
  /** The last block's names, which its child writes down. */
  parent: { readonly hash: Hash; readonly stateRoot: Hash };
  segmentCount = 4;
  /** The log of final blocks; a chain that compacts reads it. */
  readonly log: LogModel = new LogModel();
  readonly #compacts: boolean;
  #counter = 0n;

  constructor(source: Record<string, unknown>, { compacts = false }: { readonly compacts?: boolean } = {}) {
    this.#compacts = compacts;
    this.genesis = genesisFrom(source);
    this.rules = ledgerRules(hasher, this.genesis);
    this.state.apply(genesisOps(hasher, this.genesis));
    this.log.append(genesisOps(hasher, this.genesis));
    this.recent = RecentWindow.genesis(this.rules, this.rules.chainId);
    this.parent = { hash: named('genesis'), stateRoot: named('genesis state') };
  }

  /** A transaction's real bytes, referring to the last block unless told otherwise. */
  transaction(draft: Draft): Transaction {
    const { end } = this.recent;
    const bytes = encodeTransaction({
      lastValidHash: draft.lastValidHash ?? end.pohHash.slice(0, 20),
      lastValidCount: pohCount(draft.lastValidCount ?? end.slot * this.rules.hashesPerSlot),
      payload: draft.payload,
      counter: draft.counter ?? this.#counter++,
      fee: amount(draft.fee ?? 1n),
      from: draft.from.key,
      signature: signature(new Uint8Array(64)),
    });
    return decodeTransaction(hasher, bytes);
  }

  /** Starts the block of a slot on the last one. */
  start(atSlot: number, leader: PublicKey = this.genesis.validators[0]!.publicKey): BlockExecution {
    const { rules, recent, state, segmentCount, parent } = this;
    return BlockExecution.start({ rules, kernels, slot: slot(atSlot), leader, parent, segmentCount, recent, state });
  }

  /** Makes a block final. */
  finish(execution: BlockExecution, name = 'main', votes: readonly Vote[] = []): void {
    const { slot: at } = execution.context;
    if (execution.compaction === null) execution.executeVotes(votes);
    if (this.#compacts && execution.compaction === null) execution.compact(this.log);
    const ops = execution.overlay.ops();
    this.state.apply(ops);
    this.log.append(ops);
    this.recent = execution.finish(named(`${name} ${at}`));
    this.recent.settle();
    execution.overlay.settle();
    this.parent = { hash: named(`block ${name} ${at}`), stateRoot: named(`state ${name} ${at}`) };
  }

  /** A whole block: executes the drafts, returns what became of each. */
  block(atSlot: number, drafts: readonly Draft[] = []): (Refusal['code'] | null)[] {
    const execution = this.start(atSlot);
    const codes = drafts.map((draft) => apply(execution, this.transaction(draft), draft.from));
    this.finish(execution);
    return codes;
  }

  /** The code with which a single transaction is refused in the block of a slot, or null. Nothing is kept. */
  refusal(atSlot: number, draft: Draft): Refusal['code'] | null {
    return apply(this.start(atSlot), this.transaction(draft), draft.from);
  }
}

/** Applies one transaction whose signature is taken as valid. */
export function apply(execution: BlockExecution, transaction: Transaction, from: Person): Refusal['code'] | null {
  return execution.apply(transaction, { signatureValid: true, sender: from.address })?.code ?? null;
}

/** A transfer's payload. */
export function transfer(to: Person, value: bigint): Payload {
  return { kind: 'transfer', to: to.address, amount: amount(value) };
}

export const units = (value: bigint): Amount => amount(value);
