/**
 * The op log without bytes: numbered ops, and which of them are live. What compaction reads (`ActivityReader`), in the plainest form, so that the rule can be run
 * and looked at without a disk. As in the log itself, each batch begins with a head that takes a number and is never live.
 */
import { byteKey } from '../../native/index.ts';
import type { ActiveOp, ActivityReader, BatchPlace, StateOp } from '../../storage/state-reader.ts';

interface LiveOp extends ActiveOp {
  readonly name: string;
}

/** Ops dropped from the front at once. */
const TRIM_OPS = 65_536;

export class LogModel implements ActivityReader {
  opCount = 0;
  floor = 0;
  height = -1;
  /** Ops from `#first` on; null where an op is not live. */
  #ops: (LiveOp | null)[] = [];
  #first = 0;
  readonly #latest: Map<string, LiveOp> = new Map();

  get activeCount(): number {
    return this.#latest.size;
  }

  get place(): BatchPlace {
    const { floor, height } = this;
    return { height: height + 1, previousFrameSizeBytes: 0, frameOffset: 0, floor, previousDigest: new Uint8Array(32) };
  }

  /** Appends a block's batch. Throws `RangeError` when a key stands in it twice. */
  append(ops: readonly StateOp[]): void {
    this.height++;
    this.#push(null);
    const inBatch = new Set<string>();
    for (const op of ops) {
      const live = this.#liveOp(op);
      if (inBatch.has(live.name)) throw new RangeError(`a batch holds ${op.kind} of one key twice`);
      inBatch.add(live.name);
      this.#kill(live.name);
      const isPut = op.kind.startsWith('put');
      if (isPut) this.#latest.set(live.name, live);
      this.#push(isPut ? live : null);
    }
    while (this.floor < this.opCount && this.#ops[this.floor - this.#first] === null) this.floor++;
    if (this.floor - this.#first > TRIM_OPS) {
      this.#ops = this.#ops.slice(this.floor - this.#first);
      this.#first = this.floor;
    }
  }

  *oldestActive(): Iterable<ActiveOp> {
    for (let at = this.floor; at < this.opCount; at++) {
      const op = this.#ops[at - this.#first];
      if (op !== null && op !== undefined) yield op;
    }
  }

  /** The height of an account's live op, or undefined. */
  writtenAt(address: Uint8Array): number | undefined {
    return this.#latest.get(`account ${byteKey(address)}`)?.height;
  }

  #liveOp(op: StateOp): LiveOp {
    const kind = op.kind.endsWith('Account') ? 'account' : op.kind.endsWith('Record') ? 'record' : 'bond';
    const key = 'address' in op ? op.address : op.key;
    return { op: this.opCount, kind, key, height: this.height, name: `${kind} ${byteKey(key)}` };
  }

  #kill(name: string): void {
    const before = this.#latest.get(name);
    if (before === undefined) return;
    this.#ops[before.op - this.#first] = null;
    this.#latest.delete(name);
  }

  #push(op: LiveOp | null): void {
    this.#ops.push(op);
    this.opCount++;
  }
}
