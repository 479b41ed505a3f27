/** A validator of the devnet that misbehaves: which one it is, and how it is made to. */
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ByzantineKind, NodeConfig } from '../../src/node/config.ts';
import { addNode, type InitializedNode, writeConfig } from '../../src/node/init.ts';
import type { DevnetFolders } from './network.ts';
import { type Devnet, startNode } from './steps.ts';

/** What `--byzantine` takes: what a node can be configured to do, and a second process with a copied key. */
export type MischiefKind = ByzantineKind | 'twin';

/** Those that leave proof behind: their doer must be slashed. */
const PROVABLE: ReadonlySet<MischiefKind> = new Set(['double-vote', 'double-propose', 'twin', 'lazy']);

export interface Mischief {
  readonly kind: MischiefKind;
  readonly node: InitializedNode;
  readonly isProvable: boolean;
}

/** The second in rank, so that it leads within the run; not the first validator, which clients talk to. */
export async function planMischief({ validators }: DevnetFolders, kind: MischiefKind): Promise<Mischief> {
  const ranked = [...validators].sort((a, b) => Buffer.compare(b.publicKey!, a.publicKey!));
  const node = ranked.slice(1).find((each) => each !== validators[0])!;
  if (kind !== 'twin') {
    const config = JSON.parse(await readFile(node.configFile, 'utf8')) as NodeConfig;
    await writeConfig(node.configFile, { ...config, faults: { ...config.faults, byzantine: kind } });
  }
  return { kind, node, isProvable: PROVABLE.has(kind) };
}

/** Starts a second process with the node's key: its own folder, its own vote files, as somebody who has copied a key would. */
export async function startTwin(devnet: Devnet, { node }: Mischief): Promise<void> {
  const { folders, observer, say } = devnet;
  const twin = await addNode(folders.options, folders.network, 'validator', `${node.name}-twin`, 1);
  const keyFile = 'copied-key.json';
  await copyFile(join(node.directory, 'key.json'), join(twin.directory, keyFile));
  const config = JSON.parse(await readFile(twin.configFile, 'utf8')) as NodeConfig;
  await writeConfig(twin.configFile, { ...config, keyFile });
  observer.expect(twin.name, 'validator');
  say(`${twin.name} starts with a copy of ${node.name}'s key`);
  await startNode(devnet, twin);
}
