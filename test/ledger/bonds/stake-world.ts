/**
 * A chain of real executions for the tests of stake: people with real keys, blocks with votes, every block final at once in the stored state (what is final on the chain is
 * the votes' to say). Beside it the same blocks executed with nothing remembered: a state rebuilt from ops alone, an empty cache.
 */
import {
  type Address,
  amount,
  byteKey,
  type PublicKey,
  signature,
  slot as toSlot,
  ZERO_HASH,
} from '../../../native/index.ts';
import {
  decodeVote,
  encodeVote,
  type Payload,
  type SigningKey,
  signingKey,
  type Transaction,
  type Vote,
} from '../../../src/codec/index.ts';
import type { Electorate } from '../../../src/consensus/electorate.ts';
import { ElectorateCache } from '../../../src/ledger/bonds/electorate-after.ts';
import {
  assertSupplyKept,
  BlockExecution,
  type Bond,
  type ConsensusFields,
  electorateAfter,
  type LedgerRules,
  Overlay,
  type RefusalCode,
  readBond,
  readProgress,
  totalSupply,
} from '../../../src/ledger/index.ts';
import type { StateOp } from '../../../storage/state-reader.ts';
import { Chain, document, kernels, MapState, named } from '../fixture.ts';

export interface Actor {
  readonly name: string;
  readonly signer: SigningKey;
  readonly key: PublicKey;
  readonly address: Address;
}
export function actor(name: string): Actor {
  const signer = signingKey(named(`secret ${name}`));
  return { name, signer, key: signer.publicKey, address: signer.address };
}

/** A block of the chain by slot and name. */
export interface Point {
  readonly slot: number;
  readonly hash: Uint8Array;
  readonly stateRoot: Uint8Array;
}

/** Rules in which an epoch has 8 slots and everything happens soon. */
export const QUICK: Partial<Record<keyof ConsensusFields, number | string>> = {
  slotsPerEpoch: 8,
  staleEpochsFast: 2,
  staleEpochsSlow: 3,
  staleEpochsVerySlow: 6,
  voteLateSlotsMax: 3,
  unbondingEpochs: 2,
  minimumBond: '10',
};

export class StakeWorld {
  readonly chain: Chain;
  /** The last block, and the one before it. */
  tip: Point;
  before: Point;
  electorate: Electorate;
  execution: BlockExecution | null = null;
  leader: Actor;
  readonly #names: Map<string, string>;
  /** What the block under way has applied. */
  readonly #sent: (readonly [Transaction, Address])[] = [];

  constructor(
    bonds: readonly (readonly [Actor, bigint])[],
    funded: readonly (readonly [Actor, bigint])[] = [],
    consensus: Partial<Record<keyof ConsensusFields, number | string>> = {},
    microunitsPerByteBlock: string = '1',
  ) {
    this.chain = new Chain(
      document(
        {
          consensus: { ...QUICK, ...consensus },
          transactions: { recencyWindowSlots: 100_000 },
          rent: { microunitsPerByteBlock },
        },
        funded,
        bonds,
      ),
      { compacts: true },
    );
    this.#names = new Map([...bonds, ...funded].map(([{ name, key }]) => [byteKey(key), name]));
    this.tip = { slot: 0, ...this.chain.parent };
    this.before = this.tip;
    this.electorate = electorateAfter(this.rules, this.chain.state);
    this.leader = bonds[0]![0];
  }

  get rules(): LedgerRules {
    return this.chain.rules;
  }

  nameOf(key: PublicKey): string {
    return this.#names.get(byteKey(key))!;
  }

  /** Starts the block of a slot on the tip. */
  begin(slot: number, leader: Actor = this.leader): void {
    this.leader = leader;
    this.execution = this.chain.start(slot, leader.key);
  }

  /** Sends a transaction in the block under way; null when it was applied. */
  send(from: Actor, payload: Payload, fee = 0n): RefusalCode | null {
    const transaction = this.chain.transaction({ from, payload, fee });
    const refusal = this.execution!.apply(transaction, { signatureValid: true, sender: from.address });
    if (refusal === null) this.#sent.push([transaction, from.address]);
    return refusal?.code ?? null;
  }

  /** Ends the block under way with these votes: executes it a second time from a copy, and checks the supply. @returns its ops */
  end(votes: readonly Vote[] = [], name = 'main'): readonly StateOp[] {
    const execution = this.execution!;
    const { chain } = this;
    execution.executeVotes(votes);
    execution.compact(chain.log);
    const ops = execution.overlay.ops();
    assertSupplyKept(ops, chain.state, execution.overlay);
    const again = this.#endedByOthers(votes);
    if (JSON.stringify(again.overlay.ops(), shown) !== JSON.stringify(ops, shown))
      throw new Error('a copy executes otherwise');
    this.electorate = execution.electorate();
    chain.finish(execution, name);
    this.before = this.tip;
    this.tip = { slot: execution.context.slot, ...chain.parent };
    if (totalSupply(chain.state.balances.values(), chain.state) !== chain.rules.supply)
      throw new Error('the supply has changed');
    const restored = electorateAfter(this.forgetful, new MapState().apply(stateOps(chain.state)));
    if (JSON.stringify(restored, shown) !== JSON.stringify(this.electorate, shown))
      throw new Error('a copy has another electorate');
    this.execution = null;
    return ops;
  }

  /** A whole block without transactions. */
  block(slot: number, votes: readonly Vote[] = [], leader: Actor = this.leader): void {
    this.begin(slot, leader);
    this.end(votes);
  }

  /** A block of votes only, checked by nobody. @returns its ops before compaction */
  plainBlock(slot: number, votes: readonly Vote[]): readonly StateOp[] {
    const execution = this.chain.start(slot, this.leader.key);
    execution.executeVotes(votes);
    const ops = execution.overlay.ops();
    execution.compact(this.chain.log);
    this.chain.finish(execution);
    this.before = this.tip;
    this.tip = { slot, ...this.chain.parent };
    return ops;
  }

  /** Votes of these actors for the tip, from the newest block that the chain shows justified. */
  votesBy(voters: readonly Actor[]): Vote[] {
    const { justified } = readProgress(this.chain.state);
    return this.tip.slot === 0
      ? []
      : voters.map((voter) => voteOf(voter, justified, this.tip, this.rules.hashesPerSlot));
  }

  /** Blocks of all slots up to and including one, with the votes of these actors for each block's parent. */
  advance(toSlot: number, voters: readonly Actor[]): void {
    while (this.tip.slot < toSlot) this.block(this.tip.slot + 1, this.votesBy(voters));
  }

  /** The bond of an actor. */
  bondOf({ address }: Actor): Bond | undefined {
    return readBond(this.chain.state, address);
  }

  /** Names of the members in order of rank. */
  get members(): string[] {
    return this.electorate.members.map(({ publicKey }) => this.nameOf(publicKey));
  }

  /** Slot shown final. */
  get finalSlot(): number {
    return readProgress(this.chain.state).final.slot;
  }

  /** The rules with an empty memory. */
  get forgetful(): LedgerRules {
    return { ...this.rules, electorates: new ElectorateCache() };
  }

  /** What a node makes of the block that has just read its state from elsewhere and knows nothing but that. */
  #endedByOthers(votes: readonly Vote[]): BlockExecution {
    const { chain, forgetful: rules } = this;
    const { slot, leader } = this.execution!.context;
    const state = new Overlay(new MapState().apply(stateOps(chain.state)));
    const { parent, recent, segmentCount } = chain;
    const other = BlockExecution.start({ rules, kernels, slot, leader, parent, segmentCount, recent, state });
    for (const [transaction, sender] of this.#sent.splice(0))
      other.apply(transaction, { signatureValid: true, sender });
    other.executeVotes(votes);
    other.compact(chain.log);
    return other;
  }
}

/** A vote as blocks hold it; nobody checks its signature here. */
export function voteOf(
  voter: Actor,
  source: Pick<Point, 'slot' | 'hash'>,
  target: Point,
  hashesPerSlot = 50_000,
  change: Partial<Vote> = {},
): Vote {
  const fields = {
    sourceSlot: toSlot(source.slot),
    sourceHash: source.hash as Vote['sourceHash'],
    targetSlot: toSlot(target.slot),
    targetHash: target.hash as Vote['targetHash'],
    pohCount: (target.slot * hashesPerSlot) as Vote['pohCount'],
    stateRoot: target.stateRoot as Vote['stateRoot'],
    leavesSlot: toSlot(0),
    leavesHash: ZERO_HASH,
    voter: voter.key,
    signature: signature(new Uint8Array(64)),
  };
  return decodeVote(encodeVote({ ...fields, ...change }));
}

/** A vote as its voter really signed it, on the world's chain. */
export function signedVoteOf({ rules }: StakeWorld, ...of: Parameters<typeof voteOf>): Vote {
  const vote = voteOf(...of);
  return decodeVote(signed(vote.bytes, 'cairn/votes/1', of[0], rules.chainId));
}

/** Bytes with the signature at their end replaced by a true one, over the tag, what stands between and the bytes before. */
export function signed(bytes: Uint8Array, tag: string, by: Actor, between: Uint8Array = new Uint8Array()): Uint8Array {
  const message = Buffer.concat([Buffer.from(tag), between, bytes.subarray(0, bytes.length - 64)]);
  const copy = bytes.slice();
  copy.set(by.signer.sign(message), bytes.length - 64);
  return copy;
}

export const bond = (units: bigint): Payload => ({ kind: 'bond', amount: amount(units) });

/** A state as ops: what a log keeps of it. */
function stateOps(state: MapState): Parameters<MapState['apply']>[0] {
  const bytes = (key: string): Uint8Array => Uint8Array.from(Buffer.from(key, 'latin1'));
  return [
    ...[...state.balances].map(([key, balance]) => ({ kind: 'putAccount' as const, address: bytes(key), balance })),
    ...[...state.bonds()].map(([address, held]) => ({ kind: 'putBond' as const, address, ...held })),
    ...[...state.records(new Uint8Array(0))].map(([key, value]) => ({ kind: 'putRecord' as const, key, value })),
  ];
}

function shown(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}
