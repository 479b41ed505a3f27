/**
 * Which ops are still to be asked for: ranges of at most one piece, from the lowest on.
 *
 * Invariants
 * - Every op from the start to the end is in exactly one state: not taken yet, taken (somebody is asked for it), or kept.
 * - No piece is begun `WINDOW_PIECES_MAX` pieces or more beyond the lowest op that is not kept: what comes early is bounded.
 */
import { PIECE_OPS } from './piece.ts';

/** How far ahead of the lowest missing op pieces are asked for. */
export const WINDOW_PIECES_MAX = 64;

/** Ops `from` .. `to` (excluded). */
export interface OpSpan {
  readonly from: number;
  readonly to: number;
}

export class PiecePlan {
  readonly #end: number;
  readonly #pieceOps: number;
  /** First op that was never taken. */
  #cursor: number;
  /** Taken and given back, ascending. */
  readonly #returned: OpSpan[] = [];
  /** Taken and out, by first op. */
  readonly #taken = new Map<number, OpSpan>();
  /** Kept already when the plan was made, ascending. */
  readonly #had: OpSpan[];

  /**
   * @param from first op missing @param end ops at the target @param had spans within that are kept already, ascending
   * @param pieceOps ops of a piece, `PIECE_OPS` at most
   */
  constructor(from: number, end: number, had: readonly OpSpan[] = [], pieceOps: number = PIECE_OPS) {
    this.#pieceOps = pieceOps;
    this.#cursor = from;
    this.#end = end;
    this.#had = [...had];
    this.#skipKept();
  }

  /** True when every op is kept. */
  get isDone(): boolean {
    return this.#cursor >= this.#end && this.#returned.length === 0 && this.#taken.size === 0;
  }

  /** The lowest op that is not kept; the end when all are. */
  get lowest(): number {
    let lowest = this.#returned[0]?.from ?? this.#cursor;
    for (const { from } of this.#taken.values()) lowest = Math.min(lowest, from);
    return Math.min(lowest, this.#end);
  }

  /** The next span to ask for, or undefined while there is none. */
  take(): OpSpan | undefined {
    const span = this.#returned.shift() ?? this.#fresh();
    if (span !== undefined) this.#taken.set(span.from, span);
    return span;
  }

  /** The span taken from `from` on is kept as far as `to`; the rest is to be asked for again. */
  kept({ from }: OpSpan, to: number): void {
    const span = this.#taken.get(from);
    if (span === undefined) return;
    this.#taken.delete(from);
    if (to < span.to) this.#return({ from: to, to: span.to });
  }

  /** Nothing came of the span taken from `from` on. */
  giveBack({ from }: OpSpan): void {
    const span = this.#taken.get(from);
    if (span === undefined) return;
    this.#taken.delete(from);
    this.#return(span);
  }

  /** What was kept is gone again. */
  lost(span: OpSpan): void {
    this.#return(span);
  }

  #return(span: OpSpan): void {
    const at = this.#returned.findIndex(({ from }) => from > span.from);
    this.#returned.splice(at < 0 ? this.#returned.length : at, 0, span);
  }

  #fresh(): OpSpan | undefined {
    const from = this.#cursor;
    if (from >= this.#end || from >= this.lowest + WINDOW_PIECES_MAX * this.#pieceOps) return undefined;
    const border = (Math.floor(from / this.#pieceOps) + 1) * this.#pieceOps;
    const to = Math.min(border, this.#had[0]?.from ?? this.#end, this.#end);
    this.#cursor = to;
    this.#skipKept();
    return { from, to };
  }

  #skipKept(): void {
    while (this.#had[0] !== undefined && this.#had[0].from <= this.#cursor)
      this.#cursor = Math.max(this.#cursor, this.#had.shift()!.to);
  }
}
