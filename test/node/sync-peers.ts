/** Peers for fast sync: an honest one over a real store, and liars who change, cut, stretch or withhold what an honest one would say. */
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import type { Transport } from '../../src/net/transport.ts';
import { BlockTree } from '../../src/node/chain/block-tree.ts';
import type { OpenedChain } from '../../src/node/chain/chain-store.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { serveArchive } from '../../src/node/serve/archive-service.ts';
import { mutatorOf, randomOf } from '../codec/mutator.ts';
import type { VirtualNet } from './virtual-net.ts';
import type { World } from './world.ts';

/** A chain that can be served. */
export interface Source {
  readonly world: World;
  readonly opened: OpenedChain;
}

/** Changes an answer's frames; anything it waits for is silence. */
export type Tamper = (protocol: string, frames: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

export async function servePeer(
  net: VirtualNet,
  name: string,
  source: Source,
  tamper?: Tamper,
): Promise<MemoryTransport> {
  const transport = await net.peer(name);
  const handle: Transport['handle'] = (protocol, handler) =>
    transport.handle(protocol, (from, request) => {
      const frames = held(net, handler(from, request));
      return tamper === undefined ? frames : tamper(protocol, frames);
    });
  const { world, opened } = source;
  const wrapped = Object.create(transport, { handle: { value: handle } }) as Transport;
  serveArchive({ transport: wrapped, store: opened.store, tree: new BlockTree(opened.root), rules: world.check.rules });
  return transport;
}

/** Virtual time stands still while the next frame comes from the disk. */
async function* held(net: VirtualNet, frames: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = frames[Symbol.asyncIterator]();
  for (let next = await net.hold(iterator.next()); next.done !== true; next = await net.hold(iterator.next()))
    yield next.value;
}

const SYNC_PROTOCOLS = [PROTOCOL.backfill, PROTOCOL.batches, PROTOCOL.segmentRoots] as const;
const LIES = ['flip', 'mangle', 'drop', 'swap', 'repeat', 'short', 'empty', 'endless', 'silent', 'foreign'] as const;

/** What one liar does: everything follows from the seed. */
export interface Lie {
  readonly protocol: string;
  readonly kind: (typeof LIES)[number];
  readonly at: number;
  readonly seed: number;
}

export function lieOf(seed: number): Lie {
  const random = randomOf(seed);
  return {
    protocol: SYNC_PROTOCOLS[random(SYNC_PROTOCOLS.length)]!,
    kind: LIES[random(LIES.length)]!,
    at: random(9),
    seed: random(1 << 30),
  };
}

/** @param foreign frames of another chain for that protocol */
export function tamperOf(lie: Lie, foreign: (protocol: string) => readonly Uint8Array[]): Tamper {
  return async function* (protocol, truth) {
    if (protocol !== lie.protocol) {
      yield* truth;
      return;
    }
    const frames: Uint8Array[] = [];
    for await (const frame of truth) frames.push(Uint8Array.from(frame));
    yield* lying(lie, frames, foreign(protocol));
  };
}

async function* lying(lie: Lie, frames: Uint8Array[], foreign: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
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
    case 'foreign':
      yield* [...frames.slice(0, at), ...foreign];
  }
}
