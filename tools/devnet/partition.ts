/**
 * A partition of the validators by cutting wires, as `--partition '3|1@20s+15s'` says: the first three on one side, the fourth on the other, from second 20 on for 15
 * seconds. Archives stay with the first side; replicators keep every wire, but carry neither blocks nor votes between sides: they ask, and pass on what is gossiped.
 */

import type { InitializedNode } from '../../src/node/init.ts';
import { FaultsClient } from '../../src/rpc/client.ts';
import { finalHeight } from './observe.ts';
import type { PartitionSpec } from './partition-spec.ts';
import { type Devnet, StepError } from './steps.ts';

export interface PartitionEvidence {
  readonly sides: readonly string[];
  readonly forMs: number;
  /** Blocks each side made final while apart. */
  readonly finalized: readonly number[];
}

/** The nodes of each side. */
export function sidesOf({ sides }: PartitionSpec, { folders }: Pick<Devnet, 'folders'>): InitializedNode[][] {
  const ends = sides.map((_, side) => sides.slice(0, side + 1).reduce((sum, count) => sum + count, 0));
  const groups = sides.map((count, side) => folders.validators.slice(ends[side]! - count, ends[side]));
  groups[0]?.push(folders.archive);
  return groups;
}

/** Cuts the wires between the sides; resolves when every running node has done so. */
export async function cut(devnet: Devnet, groups: readonly (readonly InitializedNode[])[]): Promise<void> {
  const nameOf = ({ peer }: InitializedNode): string => peer.slice(peer.lastIndexOf('/') + 1);
  const all = groups.flat();
  await Promise.all(
    groups.flatMap((group) =>
      group.map(async (node) => {
        const url = devnet.rpcUrls.get(node.name);
        if (url === undefined || devnet.observer.node(node.name).state !== 'running') return;
        await new FaultsClient(url).cutPeers(all.filter((other) => !group.includes(other)).map(nameOf));
      }),
    ),
  );
}

/** Cuts, waits, mends; says what each side made final meanwhile. */
export async function playPartition(
  devnet: Devnet,
  spec: PartitionSpec,
  wait: (ms: number) => Promise<void>,
): Promise<PartitionEvidence> {
  const groups = sidesOf(spec, devnet);
  if (groups.flat().length !== devnet.folders.validators.length + 1)
    throw new StepError(`${spec.sides.join('|')} does not name ${devnet.folders.validators.length} validators`);
  const names = groups.map((group) => group.map(({ name }) => name).join(' '));
  await cut(devnet, groups);
  devnet.say(`the network is split for ${spec.forMs / 1000} s: ${names.join(' | ')}`);
  // What was under way becomes final.
  const settleMs = Math.min(spec.forMs / 3, 4_000);
  await wait(settleMs);
  const before = groups.map((group) => heightOf(devnet, group));
  await wait(spec.forMs - settleMs);
  const after = groups.map((group) => heightOf(devnet, group));
  await cut(devnet, [groups.flat()]);
  const finalized = after.map((height, side) => height - before[side]!);
  devnet.say(`the network is whole again; while apart the sides made ${finalized.join(' | ')} blocks final`);
  return { sides: names, forMs: spec.forMs, finalized };
}

function heightOf({ observer }: Devnet, group: readonly InitializedNode[]): number {
  return Math.max(...group.map(({ name }) => finalHeight(observer.node(name))));
}
