/**
 * Everything a chain node does because it has a validator's key, but for voting and making blocks: its own transactions, its duties, decoys and their reveals, the
 * hand-over before it stops, and saying aloud when it must be silent.
 */
import { type PublicKey, type Slot, sameBytes } from '../../../native/index.ts';
import type { Block, SigningKey } from '../../codec/index.ts';
import { type Evidence, rankOf, silenceOf } from '../../consensus/index.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import type { ChainParts } from '../chain-parts.ts';
import { decoySecret } from '../decoys.ts';
import type { Logger } from '../log.ts';
import { headToReferTo, OwnTransactions } from '../own-transactions.ts';
import { handOverLead } from './hand-over.ts';
import { ValidatorDuties } from './validator-duties.ts';

export interface ValidatorSideDeps {
  readonly parts: Pick<
    ChainParts,
    | 'kernels'
    | 'genesis'
    | 'rules'
    | 'tree'
    | 'clock'
    | 'mempool'
    | 'transactions'
    | 'submissions'
    | 'transport'
    | 'producer'
    | 'consensus'
  >;
  readonly key: SigningKey;
  readonly log: Logger;
  readonly randomBytes: (sizeBytes: number) => Uint8Array;
  /** Now, in ms since 1970: own counters start above any of an earlier run. */
  readonly wallClockMs: number;
  /** Whose key leads the slot after the best block; null when that is not known. */
  readonly nextLeader: () => PublicKey | null;
}

export class ValidatorSide {
  readonly own: OwnTransactions;
  readonly #deps: ValidatorSideDeps;
  readonly #duties: ValidatorDuties;
  #isLeaving = false;
  #saidSilence = '';

  constructor(deps: ValidatorSideDeps) {
    const { parts, key, log, wallClockMs } = deps;
    const { kernels, genesis, rules, tree, submissions } = parts;
    this.#deps = deps;
    this.own = new OwnTransactions({
      kernels,
      key,
      minimumFee: rules.minimumFee,
      counterStart: BigInt(wallClockMs) << 20n,
      finalHead: () => headToReferTo(tree.root.header, tree.best.header, rules.recencyWindowSlots),
      submit: (transaction) => submissions.submitOwn(transaction),
    });
    this.#duties = new ValidatorDuties({
      key,
      genesis,
      rules,
      best: () => tree.best,
      final: () => tree.root,
      isLeading: () => this.#isLeading,
      send: (payload, isFree) => this.own.send(payload, isFree ? 0n : rules.minimumFee),
      log,
    });
  }

  /** Misbehaviour was found here. */
  evidence(evidence: Evidence): void {
    this.#duties.evidence(evidence);
  }

  /** A block was executed here. */
  executed(block: ChainBlock): void {
    this.#duties.executed(block);
  }

  /** Does what is due; now and then. */
  look(): void {
    this.#duties.look();
    this.#saySilence();
  }

  /** Whether a slot that closes now becomes a decoy: its secret, or null. */
  decoySecret(parent: ChainBlock, slot: Slot): Uint8Array | null {
    const { parts, randomBytes } = this.#deps;
    // In a stall few are left to lead: none of them must look guilty because its reveal is lost with a branch.
    if (slot - parts.tree.root.header.slot > parts.genesis.consensus.slotsPerEpoch) return null;
    const deps = { consensus: parts.genesis.consensus, randomBytes, isStopping: () => this.#isLeaving };
    return decoySecret(deps, parent, slot);
  }

  /** Owns up to a decoy, before anything else, by whoever leads then. */
  reveal({ header }: Block, secret: Uint8Array): void {
    this.#deps.parts.mempool.addFirst(this.own.sign({ kind: 'revealDecoy', header, secret }, 0n));
  }

  /** Before it stops, a leader says so in the chain: the next one leads at once, without a timeout. */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    const { producer, mempool, transactions, clock, genesis, tree, transport } = this.#deps.parts;
    const { electorate } = tree.best;
    const isOne = rankOf(electorate, this.#deps.key.publicKey) !== undefined && electorate.members.length > 1;
    if (producer === null || !isOne || !this.#isLeading || transport.peers().length === 0) return;
    this.#deps.log.info('handing the lead over');
    await handOverLead({
      transaction: this.own.sign({ kind: 'handOver' }, 0n),
      mempool,
      isIncluded: (id) => transactions.holding(id).length > 0,
      clock,
      slotDurationMs: genesis.poh.slotDurationMs,
    });
  }

  /** Whether it leads, and the next block is its own too. */
  get #isLeading(): boolean {
    const next = this.#deps.nextLeader();
    return this.#deps.parts.producer?.isLeading === true && next !== null && sameBytes(next, this.#deps.key.publicKey);
  }

  /** Once for each reason, and when it ends. */
  #saySilence(): void {
    const silence = silenceOf(this.#deps.parts.consensus());
    const text = silence === null ? '' : `${silence.reason} ${silence.untilSlot}`;
    if (text === this.#saidSilence) return;
    this.#saidSilence = text;
    const { log } = this.#deps;
    if (silence === null) log.info('votes and leads again');
    else log.warn({ reason: silence.reason, untilSlot: silence.untilSlot }, 'refuses to vote and lead');
  }
}
