/** A producer over the inline PoH service, on a clock and timers that only the test moves. Use with vitest's fake timers. */
import { vi } from 'vitest';
import type { Block, Transaction } from '../../src/codec/index.ts';
import type { Refusal } from '../../src/ledger/index.ts';
import type { ChainBlock } from '../../src/node/chain/chain-block.ts';
import { Mempool } from '../../src/node/mempool.ts';
import { Producer } from '../../src/node/producer.ts';
import { InlinePoh } from '../../src/node/threads/index.ts';
import { kernels, type World } from './world.ts';

export class ProducerBench {
  nowMs = 1_000;
  readonly mempool: Mempool;
  readonly blocks: ChainBlock[] = [];
  readonly refused: [Transaction, Refusal][] = [];
  readonly errors: Error[] = [];
  readonly decoys: Block[] = [];
  /** First slot that is another's, and the slot of a decoy. */
  othersFromSlot: number = Number.POSITIVE_INFINITY;
  decoySlot = 0;
  /** How many batches came too late for their slot. */
  lateMixins = 0;
  readonly poh: InlinePoh;
  readonly producer: Producer;

  constructor(world: World) {
    this.mempool = new Mempool(1000);
    const { hashesPerTick, ticksPerSlot, slotDurationMs } = world.genesis.poh;
    const pace = { parameters: { hashesPerTick, ticksPerSlot }, slotDurationMs };
    this.poh = new InlinePoh(kernels, pace, () => this.nowMs);
    const { poh } = this;
    const counting = {
      start: poh.start.bind(poh),
      openSlot: poh.openSlot.bind(poh),
      onTick: poh.onTick.bind(poh),
      onSlotEnd: poh.onSlotEnd.bind(poh),
      rate: poh.rate.bind(poh),
      stop: poh.stop.bind(poh),
      mixin: async (...args: Parameters<typeof poh.mixin>) => {
        const point = await poh.mixin(...args);
        if (point === null) this.lateMixins += 1;
        return point;
      },
    };
    this.producer = new Producer({
      ...world.check,
      poh: counting,
      mempool: this.mempool,
      key: world.validators[0]!,
      mayLead: (_, slot) => slot < this.othersFromSlot,
      decoySecret: (_, slot) => (slot === this.decoySlot ? new Uint8Array(32).fill(7) : null),
      onDecoy: (decoy) => this.decoys.push(decoy),
      onBlock: (block) => this.blocks.push(block),
      onRefused: (transaction, refusal) => this.refused.push([transaction, refusal]),
      onError: (error) => this.errors.push(error),
    });
  }

  /** Lets the sequence come to rest at the present time; promises settle between its turns. */
  async hash(turnsMax = 10_000): Promise<void> {
    for (let turn = 0; turn < turnsMax; turn += 1) {
      const idleMs = this.poh.turn();
      await flush();
      if (idleMs > 0) return;
    }
  }

  /** Lets the producer's timers run, without the sequence moving. */
  async fire(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
    await flush();
  }

  /** Time as on a machine that keeps up: sequence and timers in small steps. */
  async run(ms: number, stepMs = 5): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.nowMs += stepMs;
      await this.hash();
      await this.fire(stepMs);
    }
  }
}

async function flush(): Promise<void> {
  for (let times = 0; times < 12; times += 1) await Promise.resolve();
}
