/** Peers for fast sync over a real store: what they say can be tampered with. */
import type { Timers } from '../../src/net/timers.ts';
import type { Transport } from '../../src/net/transport.ts';
import { BlockTree } from '../../src/node/chain/block-tree.ts';
import type { OpenedChain } from '../../src/node/chain/chain-store.ts';
import { PROTOCOL } from '../../src/node/protocols.ts';
import { serveArchive } from '../../src/node/serve/archive-service.ts';
import { serveHandOvers } from '../../src/node/serve/hand-over-service.ts';
import { StateService } from '../../src/node/serve/state-service.ts';
import type { Tamper } from './lies.ts';
import type { VirtualNet } from './virtual-net.ts';
import type { World } from './world.ts';

/** A chain that can be served. */
export interface Source {
  readonly world: World;
  readonly opened: OpenedChain;
}

/** What a fast sync asks for. */
export const SYNC_PROTOCOLS: readonly string[] = [
  PROTOCOL.backfill,
  PROTOCOL.stateManifest,
  PROTOCOL.statePiece,
  PROTOCOL.segmentRoots,
];

/** Serves a chain as a peer of that name. @returns ends the leases */
export async function servePeer(net: VirtualNet, name: string, source: Source, tamper?: Tamper): Promise<() => void> {
  const transport = await net.peer(name);
  const { timers } = net.network;
  return serveOn(transport, source, timers, (protocol, truth) => {
    const frames = held(net, truth);
    return tamper === undefined ? frames : tamper(protocol, frames);
  });
}

/** Serves a chain on any transport. @returns ends the leases */
export function serveOn(transport: Transport, { world, opened }: Source, timers: Timers, tamper: Tamper): () => void {
  const handle: Transport['handle'] = (protocol, handler) =>
    transport.handle(protocol, (from, request) => tamper(protocol, handler(from, request)));
  const wrapped = Object.create(transport, { handle: { value: handle } }) as Transport;
  const { store, root } = opened;
  serveHandOvers(wrapped, store.handOvers);
  serveArchive({ transport: wrapped, store, tree: new BlockTree(root), rules: world.check.rules });
  const service = new StateService({ transport: wrapped, source: store.stateSource, timers });
  return () => service.close();
}

/** Virtual time stands still while the next frame comes from the disk. */
async function* held(net: VirtualNet, frames: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = frames[Symbol.asyncIterator]();
  for (let next = await net.hold(iterator.next()); next.done !== true; next = await net.hold(iterator.next()))
    yield next.value;
}
