/** What lying peers do to their answers, everything following from a seed: for any protocol, and the frames of another chain or height. */
import { mutatorOf, randomOf } from '../codec/mutator.ts';

/** Changes an answer's frames; anything it waits for is silence. */
export type Tamper = (protocol: string, frames: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** How a liar lies, or fails. */
export const LIES = [
  'flip',
  'mangle',
  'drop',
  'swap',
  'repeat',
  'short',
  'truncated',
  'longer',
  'empty',
  'endless',
  'silent',
  'trickle',
  'hangup',
  'foreign',
] as const;

export interface Lie {
  readonly protocol: string;
  readonly kind: (typeof LIES)[number];
  readonly at: number;
  readonly seed: number;
}

export function lieOf(seed: number, protocols: readonly string[]): Lie {
  const random = randomOf(seed);
  return {
    protocol: protocols[random(protocols.length)]!,
    kind: LIES[random(LIES.length)]!,
    at: random(9),
    seed: random(1 << 30),
  };
}

export interface LieTools {
  /** Frames of another chain or height for a protocol. */
  foreign(protocol: string): readonly Uint8Array[];
  /** Breaks the connection. */
  hangUp(): void;
  /** Waits. */
  sleep(ms: number): Promise<void>;
}

/** The answers of one liar. */
export function tamperOf(lie: Lie, tools: LieTools): Tamper {
  return async function* (protocol, truth) {
    if (protocol !== lie.protocol) {
      yield* truth;
      return;
    }
    const frames: Uint8Array[] = [];
    for await (const frame of truth) frames.push(Uint8Array.from(frame));
    yield* lying(lie, frames, tools);
  };
}

async function* lying(lie: Lie, frames: Uint8Array[], tools: LieTools): AsyncGenerator<Uint8Array> {
  const at = Math.min(lie.at, Math.max(0, frames.length - 1));
  const one = frames[at] ?? new Uint8Array(1);
  const random = randomOf(lie.seed);
  switch (lie.kind) {
    case 'flip':
      one[random(one.length)]! ^= 1 << random(8);
      return yield* frames;
    case 'mangle':
      return yield* frames.with(at, one.length === 0 ? one : mutatorOf(lie.seed).mutate(one));
    case 'drop':
      return yield* frames.toSpliced(at, 1);
    case 'swap':
      return yield* [...frames.slice(0, at), ...frames.slice(at).reverse()];
    case 'repeat':
      return yield* [...frames.slice(0, at + 1), ...frames.slice(at)];
    case 'short':
      return yield* frames.slice(0, at);
    case 'truncated':
      return yield* frames.with(at, one.subarray(0, random(one.length)));
    case 'longer':
      return yield* frames.with(at, Uint8Array.from([...one, ...new Uint8Array(1 + random(64))]));
    case 'empty':
      return yield* [...frames.slice(0, at), ...Array.from({ length: 2_000 }, () => new Uint8Array(0))];
    case 'endless':
      yield* frames;
      for (let more = 0; more < 2_000; more += 1) yield one;
      return;
    case 'silent':
      yield* frames.slice(0, at);
      await new Promise(() => {});
      return;
    case 'trickle':
      for (const frame of frames) {
        await tools.sleep(random(4_900));
        yield frame;
      }
      return;
    case 'hangup':
      yield* frames.slice(0, at);
      tools.hangUp();
      return;
    case 'foreign':
      yield* [...frames.slice(0, at), ...tools.foreign(lie.protocol)];
  }
}
