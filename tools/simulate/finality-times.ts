/** How long blocks take from leaving their leader to being final, at each honest node. */
import { byteKey } from '../../native/index.ts';
import type { BlockHeader } from '../../src/codec/index.ts';

/** Samples kept: the last ones. */
const SAMPLES_KEPT = 50_000;
const BLOCKS_KEPT = 4_096;

export interface FinalitySummary {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly samples: number;
}

export class FinalityTimes {
  readonly #sentMs = new Map<string, number>();
  readonly #samples: number[] = [];
  readonly #told = new Map<string, number>();

  sent(header: BlockHeader, nowMs: number): void {
    const key = byteKey(header.hash);
    if (this.#sentMs.has(key)) return;
    this.#sentMs.set(key, nowMs);
    if (this.#sentMs.size <= BLOCKS_KEPT) return;
    for (const oldest of this.#sentMs.keys()) {
      this.#sentMs.delete(oldest);
      return;
    }
  }

  /** A node's last final block, as seen now. Blocks it finalized together count once, by the last. @param node its name */
  final(header: BlockHeader, nowMs: number, node = ''): void {
    if (this.#told.get(node) === header.height) return;
    this.#told.set(node, header.height);
    const sentMs = this.#sentMs.get(byteKey(header.hash));
    if (sentMs === undefined) return;
    this.#samples.push(nowMs - sentMs);
    if (this.#samples.length > SAMPLES_KEPT) this.#samples.shift();
  }

  summary(): FinalitySummary | null {
    if (this.#samples.length === 0) return null;
    const sorted = [...this.#samples].sort((a, b) => a - b);
    const at = (share: number): number =>
      Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!);
    return { p50Ms: at(0.5), p99Ms: at(0.99), samples: sorted.length };
  }
}
