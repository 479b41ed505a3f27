/** Light clients' way through changing validators, for tests. */
import type { Transport } from '../../src/net/transport.ts';
import { HandOverWalk, knownByGenesis, type WalkDeps } from '../../src/node/hand-overs/hand-over-walk.ts';
import { kernels, rootOf, type World } from './world.ts';

/** The way from genesis. */
export function walkOf(world: World, transport: Transport, keep?: WalkDeps['keep']): HandOverWalk {
  const { signatures, rules } = world.check;
  const deps = { kernels, transport, signatures, chainId: rules.chainId, ...(keep === undefined ? {} : { keep }) };
  return new HandOverWalk(deps, knownByGenesis(world.genesis, rootOf(world).header));
}
