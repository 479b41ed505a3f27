/** The driver against a fake ledger that refuses, forgets, times out and lands late: every transfer is paid exactly once. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadKernels } from '../../native/index.ts';
import { addressOf, decodeTransaction } from '../../src/codec/index.ts';
import { Driver, type FinalBlock, type SubmitPort } from '../../tools/workload/driver.ts';
import { LatencyLog, percentile } from '../../tools/workload/latency.ts';
import type { WorkloadPlan } from '../../tools/workload/plan.ts';
import { SeededRandom } from '../../tools/workload/random.ts';
import { WorkloadKeys } from '../../tools/workload/signer.ts';
import { type Answer, type Reference, Submissions, type TransferSigner } from '../../tools/workload/submissions.ts';
import { planZipf } from '../../tools/workload/zipf-plan.ts';

const transfer = { from: 0, to: 1, amount: 5n };
const reference = (lastValidSlot: number): Reference => ({
  lastValidHash: new Uint8Array(20),
  lastValidCount: lastValidSlot,
  lastValidSlot,
});
/** Packet = index and last valid slot as text; the id is the same text. */
const fakeSign: TransferSigner = (_, counter, { lastValidSlot }) => {
  const id = `${counter}@${lastValidSlot}`;
  return { id, bytes: new TextEncoder().encode(id) };
};
const STALE: Answer = { code: 'stale-last-valid-hash', message: '' };

describe('the book of submissions', () => {
  it('signs anew at once after a refusal for age, when no attempt may have landed', () => {
    const book = new Submissions();
    const one = book.open(0, transfer, 0);
    const first = book.prepare(one, reference(10), fakeSign, 0);
    book.answered(one, STALE, 1);
    expect(book.due(1000, 5)).toEqual([one]);
    expect(book.prepare(one, reference(20), fakeSign, 1000)).not.toEqual(first);
    expect(book.resigned).toBe(1);
    expect(book.finalized(15, ['0@20'])).toEqual([one]);
    expect(book.openCount).toBe(0);
  });

  it('keeps the packet after a refusal for age when an earlier attempt may have landed, until the window is over', () => {
    const book = new Submissions();
    const one = book.open(0, transfer, 0);
    const first = book.prepare(one, reference(10), fakeSign, 0);
    book.unanswered(one, 1);
    expect(book.prepare(one, reference(20), fakeSign, 300)).toEqual(first);
    book.answered(one, STALE, 301);
    book.finalized(9, []);
    expect(book.prepare(one, reference(20), fakeSign, 700)).toEqual(first);
    book.answered(one, STALE, 701);
    book.finalized(10, []);
    expect(book.prepare(one, reference(20), fakeSign, 1000)).not.toEqual(first);
  });

  it('counts a packet that lands in the last block of its window', () => {
    const book = new Submissions();
    const one = book.open(0, transfer, 0);
    book.prepare(one, reference(10), fakeSign, 0);
    book.unanswered(one, 1);
    expect(book.finalized(10, ['0@10', 'stranger'])).toEqual([one]);
  });

  it('sends accepted packets again when they stay out, and gives up only on a plain refusal', () => {
    const book = new Submissions();
    const one = book.open(0, transfer, 0);
    book.prepare(one, reference(10), fakeSign, 0);
    book.answered(one, null, 0);
    expect(book.due(4_999, 5)).toEqual([]);
    expect(book.due(5_000, 5)).toEqual([one]);
    book.prepare(one, reference(10), fakeSign, 5_000);
    book.answered(one, { code: 'insufficient-funds', message: 'm' }, 5_001);
    expect(book.refused).toEqual([]);
    const two = book.open(1, transfer, 0);
    book.prepare(two, reference(10), fakeSign, 0);
    book.answered(two, { code: 'busy', message: '' }, 0);
    expect(book.due(250, 5)).toEqual([two]);
    book.prepare(two, reference(10), fakeSign, 250);
    book.answered(two, { code: 'insufficient-funds', message: 'm' }, 251);
    expect(book.refused).toEqual([{ index: 1, code: 'insufficient-funds', message: 'm' }]);
    expect(book.openIndexes()).toEqual([0]);
  });
});

/** A ledger in steps: each call advances a slot; packets land, late or never; the window is 20 slots. */
class FakeLedger implements SubmitPort {
  readonly paid = new Map<string, number>();
  readonly #random: SeededRandom;
  readonly #trouble: number;
  readonly #seen = new Set<string>();
  readonly #waiting: { id: string; fromSlot: number; lastValidSlot: number }[] = [];
  readonly #blocks: FinalBlock[] = [];
  #slot = 0;

  constructor(seed: number, trouble: number) {
    this.#random = new SeededRandom(seed);
    this.#trouble = trouble;
  }

  async latestReference(): Promise<Reference> {
    this.#advance();
    const age = this.#random.below(4);
    return reference(Math.max(0, this.#slot - age) + 20);
  }

  async submit(packets: readonly Uint8Array[]): Promise<readonly (Answer | null)[]> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#advance();
    if (this.#random.unit() < this.#trouble) {
      if (this.#random.unit() < 0.5) for (const packet of packets) this.#take(packet);
      throw new Error('no answer');
    }
    return packets.map((packet) => this.#take(packet));
  }

  async waitFinalized(afterHeight: number): Promise<readonly FinalBlock[]> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#advance();
    if (this.#random.unit() < this.#trouble) throw new Error('no answer');
    return this.#blocks.slice(afterHeight, afterHeight + 3);
  }

  #take(packet: Uint8Array): Answer | null {
    const id = new TextDecoder().decode(packet);
    const lastValidSlot = Number(id.split('@')[1]);
    const roll = this.#random.unit();
    if (lastValidSlot < this.#slot || roll < this.#trouble / 3) return STALE;
    if (roll < this.#trouble / 2) return { code: 'busy', message: '' };
    // Forgotten after acceptance, like a node's memory when it is killed.
    const lost = this.#random.unit() < this.#trouble;
    if (!lost) this.#waiting.push({ id, fromSlot: this.#slot + this.#random.below(15), lastValidSlot });
    return null;
  }

  #advance(): void {
    this.#slot += 1;
    const ids: string[] = [];
    for (const [at, packet] of [...this.#waiting.entries()].reverse()) {
      if (packet.fromSlot > this.#slot) continue;
      this.#waiting.splice(at, 1);
      if (packet.lastValidSlot < this.#slot || this.#seen.has(packet.id)) continue;
      this.#seen.add(packet.id);
      ids.push(packet.id);
      const counter = packet.id.split('@')[0] as string;
      this.paid.set(counter, (this.paid.get(counter) ?? 0) + 1);
    }
    this.#blocks.push({ height: this.#blocks.length + 1, slot: this.#slot, ids });
  }
}

function planOf(transferCount: number): WorkloadPlan {
  return { kind: 'ethereum', accounts: [], fee: 1n, transferCount, next: () => transfer };
}

describe('the driver', () => {
  it('gets every transfer paid exactly once, whatever the ledger does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1 << 30 }),
        fc.double({ min: 0, max: 0.4, noNaN: true }),
        async (seed, trouble) => {
          const ledger = new FakeLedger(seed, trouble);
          // A clock of its own: each reading is 50 ms later, so back-off and resending take no real time.
          let clockMs = 0;
          const clock = {
            nowMs: () => {
              clockMs += 50;
              return clockMs;
            },
            sleep: () => new Promise<void>((resolve) => setImmediate(resolve)),
          };
          const driver = new Driver({
            plan: planOf(300),
            port: ledger,
            sign: fakeSign,
            ratePerSecond: 1e9,
            inFlightMax: 64,
            clock,
          });
          driver.start(0);
          while (!driver.exhausted) await new Promise((resolve) => setTimeout(resolve, 1));
          expect(await driver.drain(Number.POSITIVE_INFINITY)).toBe(0);
          await driver.close();
          expect(ledger.paid.size).toBe(300);
          expect(new Set(ledger.paid.values())).toEqual(new Set([1]));
          expect(driver.final.length).toBe(300);
          expect(driver.latency.count).toBe(300);
          expect(driver.submissions.refused).toEqual([]);
        },
      ),
      {
        numRuns: 6,
        seed: 5,
        examples: [
          [1, 0],
          [2, 0.4],
        ],
      },
    );
  }, 30_000);

  it('hands out in order, keeps the rate and the bound on what is open', async () => {
    let clockMs = 0;
    const sent: string[] = [];
    const port: SubmitPort = {
      latestReference: async () => reference(100),
      submit: async (packets) =>
        packets.map((packet) => {
          sent.push(new TextDecoder().decode(packet));
          return null;
        }),
      waitFinalized: async () => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        return [];
      },
    };
    const driver = new Driver({
      plan: planOf(1000),
      port,
      sign: fakeSign,
      ratePerSecond: 100,
      inFlightMax: 150,
      clock: {
        nowMs: () => clockMs,
        sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, Math.min(durationMs, 2))),
      },
    });
    driver.start(0);
    const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));
    clockMs = 500;
    await settle();
    expect(sent).toEqual(Array.from({ length: 50 }, (_, index) => `${index}@100`));
    clockMs = 4_000;
    await settle();
    expect(sent.length).toBe(150);
    await driver.close();
    expect(driver.submissions.openCount).toBe(150);
  });
});

describe('a transfer that becomes final while its sending again waits for a reference', () => {
  it('is not sent again', async () => {
    let clockMs = 0;
    let references = 0;
    const sent: string[] = [];
    let giveReference: () => void = () => {};
    const final: FinalBlock[] = [];
    const driver = new Driver({
      plan: planOf(1),
      port: {
        latestReference: async () => {
          references += 1;
          if (references > 1)
            await new Promise<void>((resolve) => {
              giveReference = resolve;
            });
          return reference(100 * references);
        },
        submit: async (packets) =>
          packets.map((packet) => {
            sent.push(new TextDecoder().decode(packet));
            return null;
          }),
        waitFinalized: async () => {
          await new Promise((resolve) => setTimeout(resolve, 2));
          return final.splice(0);
        },
      },
      sign: fakeSign,
      ratePerSecond: 1e9,
      clock: { nowMs: () => clockMs, sleep: () => new Promise((resolve) => setTimeout(resolve, 2)) },
    });
    const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 40));
    driver.start(0);
    clockMs = 10;
    await settle();
    expect(sent).toEqual(['0@100']);
    clockMs = 10_000;
    await settle();
    expect(references).toBe(2);
    final.push({ height: 1, slot: 100, ids: ['0@100'] });
    await settle();
    expect(driver.final).toHaveLength(1);
    giveReference();
    await settle();
    await driver.close();
    expect(sent).toEqual(['0@100']);
  });
});

describe('signing', () => {
  it('makes 176-byte packets that decode to the transfer', async () => {
    const kernels = loadKernels();
    const plan = planZipf({ accountCount: 4, seed: 1, fee: 10n });
    const keys = new WorkloadKeys(plan);
    const sign = keys.signer(kernels, 10n);
    const { bytes } = sign({ from: 2, to: 3, amount: 77n }, 9n, { ...reference(5), lastValidCount: 1234 });
    expect(bytes.length).toBe(176);
    const decoded = decodeTransaction(kernels, bytes);
    expect(decoded).toMatchObject({ counter: 9n, fee: 10n, lastValidCount: 1234 });
    expect(decoded.payload).toMatchObject({ kind: 'transfer', amount: 77n, to: keys.address(3) });
    expect(addressOf(decoded.from)).toEqual(keys.address(2));
    expect(() => sign({ from: 4, to: 0, amount: 1n }, 0n, reference(5))).toThrow(RangeError);
  });
});

describe('latency', () => {
  it('takes percentiles by nearest rank, over all or the latest', () => {
    const log = new LatencyLog();
    expect(log.summary()).toBeNull();
    for (let value = 1; value <= 2000; value += 1) log.add(value);
    expect(log.summary()).toEqual({ p50: 1000, p99: 1980 });
    expect(log.summary(100)).toEqual({ p50: 1950, p99: 1999 });
    expect(percentile([5], 0.99)).toBe(5);
    expect(log.count).toBe(2000);
  });
});
