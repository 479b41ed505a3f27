/**
 * The world around one replicator: a real ledger, block by block on virtual slots, whose only validator checks every proof as a node does, seals what it found and opens it.
 *
 * Throws when a proof was wrong that is no fake of the replicator's own.
 */
import { byteKey, sameBytes } from '../../native/index.ts';
import { addressOf, type SigningKey, type Transaction, type VerdictReason } from '../../src/codec/index.ts';
import { fakeSamplesRoot, type PendingProof, pendingProofs, replicationOverview } from '../../src/ledger/index.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { startExecution } from '../../src/node/chain/check-block.ts';
import { FindingsBook } from '../../src/node/proof-checks/findings-book.ts';
import { OwnFindings } from '../../src/node/proof-checks/own-findings.ts';
import { storageJob } from '../../src/node/proof-checks/storage-job.ts';
import { verifyMany } from '../../src/node/proof-checks/storage-proof-worker.ts';
import { encodeMessage, PROTOCOL } from '../../src/node/protocols.ts';
import { ask } from '../../src/node/relay/ask.ts';
import { replicasAnswer } from '../../src/node/serve/archive-service.ts';
import { FakeArchive } from '../node/fake-archive.ts';
import type { VirtualNet } from '../node/virtual-net.ts';
import { kernels, makeBlock, transactionOn, type World } from '../node/world.ts';

/** So many transfers make a segment of 8 KiB in about three blocks. */
const TRANSFERS = 12;

/** Keeps and answers as a validator that serves history. */
class OneValidator extends FakeArchive {
  override status(): ReturnType<FakeArchive['status']> {
    return { ...super.status(), role: 'validator' };
  }
}

export class ReplicatorLedger {
  readonly world: World;
  readonly key: SigningKey;
  readonly seed: Uint8Array;
  readonly blocks: ChainBlock[];
  readonly node: FakeArchive;
  /** Periods proven, by segment. */
  readonly proven: Map<number, Set<number>> = new Map();
  /** Fakes that were rejected, by `segment/period`: whether they were revealed. */
  readonly fakes: Map<string, boolean> = new Map();
  readonly refusals: Map<string, number> = new Map();
  readonly #net: VirtualNet;
  readonly #seen = new Set<string>();
  #taken = 0;
  #counter = 0;
  readonly #book: FindingsBook;
  readonly #own: OwnFindings;
  #findings: Transaction[] = [];

  private constructor(
    world: World,
    key: SigningKey,
    seed: Uint8Array,
    blocks: ChainBlock[],
    net: VirtualNet,
    node: FakeArchive,
  ) {
    this.world = world;
    this.key = key;
    this.seed = seed;
    this.blocks = blocks;
    this.#net = net;
    this.node = node;
    const [validator] = world.validators;
    const { rules } = world.check;
    this.#book = new FindingsBook(kernels, rules.chainId, validator!);
    this.#own = new OwnFindings({
      ...{ rules, book: this.#book },
      send: async (payload, fees) => {
        const plan = { key: validator!, counter: BigInt(++this.#counter), payload, fee: BigInt(fees) };
        this.#findings.push(transactionOn(world, this.final.header, plan));
      },
    });
  }

  /** @param prefix the chain so far */
  static async start(
    world: World,
    seed: Uint8Array,
    key: SigningKey,
    prefix: readonly ChainBlock[],
    net: VirtualNet,
  ): Promise<ReplicatorLedger> {
    const blocks = [...prefix];
    const node = new OneValidator(world, blocks, await net.peer('validator'));
    const ledger = new ReplicatorLedger(world, key, seed, blocks, net, node);
    node.finalHeight = blocks.length - 1;
    node.lies.set(PROTOCOL.replicas, () => [
      encodeMessage({ ...replicasAnswer(world.check.rules, ledger.final, key.address) }),
    ]);
    return ledger;
  }

  get final(): ChainBlock {
    return this.blocks[this.node.finalHeight - 1]!;
  }

  /** One slot more: the transactions handed in and the findings land in a new block, and the block before it is final. @param peer the replicator, when it runs */
  async advance(peer: string | undefined): Promise<void> {
    const parent = this.blocks.at(-1)!;
    const landing = [
      ...this.#distinct(this.node.taken.slice(this.#taken)),
      ...this.#findings.splice(0),
      ...this.#transfers(parent),
    ];
    this.#taken = this.node.taken.length;
    const block = makeBlock(this.world, parent, { batches: [this.#accepted(parent, landing)] });
    this.blocks.push(block);
    this.node.finalHeight = this.blocks.length - 1;
    this.#note();
    if (peer !== undefined) await this.#check(peer);
  }

  /** A replicator hands every transaction to several validators. */
  #distinct(transactions: readonly Transaction[]): Transaction[] {
    return transactions.filter(({ id }) => {
      const name = byteKey(id);
      if (this.#seen.has(name)) return false;
      this.#seen.add(name);
      return true;
    });
  }

  #transfers(parent: ChainBlock): Transaction[] {
    return Array.from({ length: TRANSFERS }, (_, index) =>
      transactionOn(this.world, parent.header, {
        from: index % 4,
        to: (index + 1) % 4,
        counter: BigInt(++this.#counter),
      }),
    );
  }

  /** Those that a leader would take. */
  #accepted(parent: ChainBlock, transactions: readonly Transaction[]): Transaction[] {
    const { check, validators } = this.world;
    const execution = startExecution(check, parent, {
      slot: (parent.header.slot + 1) as ChainBlock['header']['slot'],
      leader: validators[0]!.publicKey,
    });
    return transactions.filter((transaction) => {
      const refusal = execution.apply(transaction, { signatureValid: true, sender: addressOf(transaction.from) });
      if (refusal === null) return true;
      const name = `${transaction.payload.kind}: ${refusal.code}`;
      this.refusals.set(name, (this.refusals.get(name) ?? 0) + 1);
      return false;
    });
  }

  #note(): void {
    const { state, header } = this.final;
    const filter = { identity: this.key.address, rowsMax: 100 };
    for (const { segment, lastPeriod, proof } of replicationOverview(this.world.check.rules, state, header.slot, filter)
      .replicas) {
      if (lastPeriod === null || (proof !== 'accepted' && proof !== 'revealed')) continue;
      this.proven.set(segment, (this.proven.get(segment) ?? new Set()).add(lastPeriod));
      const name = `${segment}/${lastPeriod}`;
      if (proof === 'revealed') this.fakes.set(name, true);
    }
  }

  /** What a validator does: fetches the openings, encrypts its own copy, says what it found. */
  async #check(peer: string): Promise<void> {
    const { check } = this.world;
    const { state, header } = this.final;
    for (const pending of [...pendingProofs(check.rules, state, 0, header.slot)]) {
      if (this.#book.get(pending) !== undefined) continue;
      const opening = await this.#opening(peer, pending);
      if (opening === undefined) continue;
      const segment = this.node.segments()[pending.segment]!;
      const claim = storageJob.claim(pending, opening, true);
      const job = storageJob.of(this.world.genesis, this.node.rootOf(segment), segment, true, [claim]);
      const [finding] = await verifyMany(kernels, job);
      if (!finding!.valid) this.#expectFake(pending, finding!.reason);
      const { identity, period } = pending;
      this.#book.enter({ identity, segment: pending.segment, period, ...finding!, foundSlot: header.slot });
    }
    await this.#own.send(this.final, 0);
  }

  async #opening(peer: string, { segment, period }: PendingProof): Promise<Uint8Array | undefined> {
    const question = {
      protocol: PROTOCOL.opening,
      request: encodeMessage({ segment, period }),
      framesMax: 100,
      sizeBytesMax: 1 << 20,
    };
    const frames: Uint8Array[] = [];
    try {
      const fetch = async (): Promise<void> => {
        for await (const frame of ask(this.node.transport, peer, question)) frames.push(frame);
      };
      await this.#net.settle(fetch());
    } catch {
      return undefined;
    }
    return frames.length === 0 ? undefined : new Uint8Array(Buffer.concat(frames));
  }

  #expectFake({ segment, period, identity, proof, periodHash }: PendingProof, reason: VerdictReason): void {
    const text = Buffer.from(`cairn/fake-secret/1/${segment}/${period}`);
    const secret = kernels.sha256(Buffer.concat([text, this.seed]));
    const subject = { identity, segment, period, periodHash: periodHash.pohHash };
    if (!sameBytes(proof.samplesRoot, fakeSamplesRoot(kernels, subject, secret)))
      throw new RangeError(`segment ${segment}, period ${period}: a wrong proof that is no fake: ${reason}`);
    this.fakes.set(`${segment}/${period}`, false);
  }
}
