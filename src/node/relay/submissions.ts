/**
 * The way of a transaction to the leader: checked and kept at the node that accepted it, forwarded in order to whoever leads, forwarded again when the leader
 * changes or does not include it.
 *
 * Invariants
 * - A transaction enters the mempool only after its signature, age and funds were checked here against the best block.
 * - One forward is under way at a time, so order of arrival is kept on the wire.
 * - Peers' submissions are bounded in size and count; a bad signature among them is the peer's fault, a refusal for age or funds is not (states differ).
 */
import { type Kernels, type PublicKey, slot as toSlot } from '../../../native/index.ts';
import {
  addressOf,
  CodecError,
  decodeTransaction,
  TRANSACTION_SIZE_BYTES_MAX,
  type Transaction,
} from '../../codec/index.ts';
import { type BlockContext, checkTransaction, type Refusal } from '../../ledger/index.ts';
import { PeerFault, type PeerName, type Transport } from '../../net/transport.ts';
import type { ChainBlock } from '../chain/chain-block.ts';
import { type CheckDeps, startExecution } from '../chain/check-block.ts';
import { after, type Clock } from '../clock.ts';
import { FeeFree } from '../fee-free.ts';
import type { Logger } from '../log.ts';
import type { Mempool } from '../mempool.ts';
import { IDLE_TIMEOUT_MS, PROTOCOL, SUBMIT_TRANSACTIONS_MAX } from '../protocols.ts';
import type { SignatureChecks } from '../signature-checks.ts';

/** How often waiting transactions are forwarded. */
const FORWARD_INTERVAL_MS = 20;
/** How many slots a forwarded transaction may stay out of blocks before it is forwarded again. */
const FORWARD_PATIENCE_SLOTS = 8;

export type Accepted = { readonly accepted: true; readonly transaction: Transaction };
export type NotAccepted = {
  readonly accepted: false;
  readonly transaction: Transaction | null;
  readonly code: string;
  readonly message: string;
};

export interface SubmissionDeps extends Pick<CheckDeps, 'rules' | 'idSecret'> {
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Logger;
  readonly mempool: Mempool;
  readonly signatures: SignatureChecks;
  readonly slotDurationMs: number;
  readonly best: () => ChainBlock;
  /** Whose key leads the slot after the best block. */
  readonly nextLeader: () => PublicKey;
  /** The peer that leads now, `self`, or null when it is not known or not connected. */
  readonly leader: () => PeerName | 'self' | null;
}

export class Submissions {
  readonly #deps: SubmissionDeps;
  #cancel: () => void = () => {};
  #lastLeader: PeerName | 'self' | null = null;
  #stopped = false;
  #isScheduled = false;
  #context: BlockContext | undefined;
  readonly #feeFree: FeeFree;
  #received = 0;
  #refused = 0;

  constructor(deps: SubmissionDeps) {
    this.#deps = deps;
    this.#feeFree = new FeeFree(deps.rules.minimumFee, (id) => deps.mempool.has(id));
    deps.transport.handle(PROTOCOL.submit, (from, request) => this.#receive(from, request));
  }

  get counts(): { readonly received: number; readonly refused: number } {
    return { received: this.#received, refused: this.#refused };
  }

  start(): void {
    this.#deps.mempool.onWaiting(() => {
      if (!this.#isScheduled) this.#schedule();
    });
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Checks and queues transactions; one answer each, in order. */
  async submit(packets: readonly Uint8Array[]): Promise<(Accepted | NotAccepted)[]> {
    const decoded = packets.map((bytes) => this.#decode(bytes));
    const transactions = decoded.flatMap((one) => (one.transaction === null ? [] : [one.transaction]));
    const verdicts = await this.#deps.signatures.transactions(transactions);
    let next = 0;
    return decoded.map((one) =>
      one.transaction === null ? this.#count(one) : this.#admit(one.transaction, verdicts[next++]!),
    );
  }

  /** Queues a transaction this node made itself. Refusals of those without a fee are part of the game: several validators may say the same thing. */
  async submitOwn(transaction: Transaction): Promise<void> {
    const [answer] = await this.submit([transaction.bytes]);
    if (answer?.accepted === false && answer.code !== 'already-known')
      this.#deps.log[transaction.fee === 0n ? 'debug' : 'warn'](
        { code: answer.code, message: answer.message, kind: transaction.payload.kind },
        'own transaction refused',
      );
  }

  #decode(bytes: Uint8Array): { transaction: Transaction } | (NotAccepted & { transaction: null }) {
    try {
      return { transaction: decodeTransaction(this.#deps.kernels, bytes) };
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      return { accepted: false, transaction: null, code: 'malformed', message: error.message };
    }
  }

  #admit(transaction: Transaction, signatureValid: boolean): Accepted | NotAccepted {
    this.#received += 1;
    if (this.#deps.mempool.has(transaction.id)) return { accepted: true, transaction };
    const refusal = this.#check(transaction, signatureValid);
    if (refusal !== null) return this.#count({ accepted: false, transaction, ...refusal });
    const isFull = !this.#feeFree.admits(transaction) || this.#deps.mempool.add(transaction) === 'full';
    if (isFull)
      return this.#count({ accepted: false, transaction, code: 'busy', message: 'the queue is full: try again later' });
    this.#feeFree.add(transaction);
    return { accepted: true, transaction };
  }

  #check(transaction: Transaction, signatureValid: boolean): Refusal | null {
    const best = this.#deps.best();
    return checkTransaction(this.#contextAfter(best), best.state, transaction, {
      signatureValid,
      sender: addressOf(transaction.from),
    });
  }

  /** What a child of the best block would be checked against; made once a best block. */
  #contextAfter(best: ChainBlock): BlockContext {
    if (this.#context?.recent === best.recent) return this.#context;
    const place = { slot: toSlot(best.header.slot + 1), leader: this.#deps.nextLeader() };
    this.#context = startExecution(this.#deps, best, place).context;
    return this.#context;
  }

  #count(answer: NotAccepted): NotAccepted {
    this.#refused += 1;
    return answer;
  }

  /** Looks again and again while something waits or has been handed to a leader; else the mempool says when something does. */
  #schedule(): void {
    this.#isScheduled = this.#deps.mempool.pendingCount > 0 && !this.#stopped;
    if (!this.#isScheduled) return;
    const forward = (): void => void this.#forward().finally(() => this.#schedule());
    this.#cancel = after(this.#deps.clock, FORWARD_INTERVAL_MS, forward);
  }

  /** Hands what waits to the leader; the producer of this very node takes from the mempool itself. */
  async #forward(): Promise<void> {
    const { mempool, clock } = this.#deps;
    const leader = this.#deps.leader();
    if (leader !== this.#lastLeader) mempool.reclaimForwarded(Number.POSITIVE_INFINITY);
    else mempool.reclaimForwarded(clock.nowMs() - FORWARD_PATIENCE_SLOTS * this.#deps.slotDurationMs);
    this.#lastLeader = leader;
    if (leader === null || leader === 'self') return;
    const transactions = mempool.take(SUBMIT_TRANSACTIONS_MAX);
    if (transactions.length === 0) return;
    // Counted as forwarded even when sending fails: patience runs out, then it waits again, in order.
    mempool.forward(transactions, clock.nowMs());
    try {
      const options = { idleTimeoutMs: IDLE_TIMEOUT_MS, responseSizeBytesMax: SUBMIT_TRANSACTIONS_MAX };
      for await (const _ of this.#deps.transport.request(
        leader,
        PROTOCOL.submit,
        frameTransactions(transactions),
        options,
      ));
    } catch (error) {
      this.#deps.log.debug({ leader, error: (error as Error).message }, 'forwarding failed');
    }
  }

  async *#receive(from: PeerName, request: Uint8Array): AsyncGenerator<Uint8Array> {
    const packets = unframeTransactions(request, from);
    const answers = await this.submit(packets);
    const rubbish = answers.find((one) => !one.accepted && (one.code === 'malformed' || one.code === 'bad-signature'));
    if (rubbish !== undefined && !rubbish.accepted)
      throw new PeerFault(from, rubbish.code, `forwarded transaction: ${rubbish.message}`);
    yield Uint8Array.from(answers, (one) => (one.accepted ? 0 : 1));
  }
}

/** u16 length || bytes, one after the other. */
export function frameTransactions(transactions: readonly Transaction[]): Uint8Array {
  const sizeBytes = transactions.reduce((sum, { bytes }) => sum + 2 + bytes.length, 0);
  const framed = new Uint8Array(sizeBytes);
  const view = new DataView(framed.buffer);
  let at = 0;
  for (const { bytes } of transactions) {
    view.setUint16(at, bytes.length, true);
    framed.set(bytes, at + 2);
    at += 2 + bytes.length;
  }
  return framed;
}

/** Splits a submission; every length is checked before it is used. The packets are copies. */
export function unframeTransactions(framed: Uint8Array, from: PeerName): Uint8Array[] {
  const packets: Uint8Array[] = [];
  const view = new DataView(framed.buffer, framed.byteOffset, framed.length);
  for (let at = 0; at < framed.length; ) {
    const sizeBytes = at + 2 <= framed.length ? view.getUint16(at, true) : 0;
    if (sizeBytes === 0 || sizeBytes > TRANSACTION_SIZE_BYTES_MAX || at + 2 + sizeBytes > framed.length)
      throw new PeerFault(from, 'malformed-submission', `bad length at byte ${at}`);
    if (packets.length === SUBMIT_TRANSACTIONS_MAX)
      throw new PeerFault(from, 'malformed-submission', `more than ${SUBMIT_TRANSACTIONS_MAX} transactions`);
    packets.push(framed.slice(at + 2, at + 2 + sizeBytes));
    at += 2 + sizeBytes;
  }
  return packets;
}
