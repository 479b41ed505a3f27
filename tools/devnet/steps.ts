/**
 * What happens to the network during a run: a validator is killed and restarted, a replica is damaged, a newcomer joins by fast sync. Each step
 * acts, waits for what must follow, and returns its evidence.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { InitializedNode } from '../../src/node/init.ts';
import { ReplicatorClient } from '../../src/rpc/client.ts';
import type { CorruptionEvidence, FastSyncEvidence, RestartEvidence } from './evidence.ts';
import type { DevnetFolders } from './network.ts';
import { finalHeight, type Observer } from './observe.ts';
import type { Child, Processes } from './spawn.ts';

/** What the steps act on. */
export interface Devnet {
  readonly folders: DevnetFolders;
  readonly processes: Processes;
  readonly observer: Observer;
  /** Running children by node name. */
  readonly children: Map<string, Child>;
  /** RPC addresses by node name. */
  readonly rpcUrls: Map<string, string>;
  /** Says what is going on, in one line. */
  readonly say: (line: string) => void;
  /** Ends every wait. */
  readonly signal: AbortSignal;
}

/** A step that could not be done. */
export class StepError extends Error {
  override readonly name = 'StepError';
  readonly code = 'step-failed';
}

/** How long a killed validator stays away. */
const DOWN_MS = 3_000;
/** A node this many blocks behind the furthest is level with it: it is a matter of when each was asked. */
const LEVEL_BLOCKS = 2;
const CATCH_UP_TIMEOUT_MS = 60_000;
const SYNC_TIMEOUT_MS = 120_000;
const PROVEN_TIMEOUT_MS = 120_000;
const PRUNED_TIMEOUT_MS = 120_000;
const POLL_MS = 100;

/** Waits until `done` holds; false when it did not within `timeoutMs` or the run was stopped. */
export async function until(done: () => boolean, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!done()) {
    if (performance.now() > deadline || signal.aborted) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Starts a node and attaches the observer to it. */
export async function startNode(devnet: Devnet, node: InitializedNode): Promise<void> {
  devnet.observer.setState(node.name, 'starting');
  const { child, ready } = await devnet.processes.startNode(node.name, node.role, node.configFile);
  devnet.children.set(node.name, child);
  devnet.rpcUrls.set(node.name, ready.rpc);
  devnet.observer.attach(node.name, ready.rpc);
}

/** Kills a validator that is not the leader with SIGKILL, restarts it after a while, and times how long it takes to be level again. */
export async function killAndRestart(devnet: Devnet, liar: InitializedNode | null = null): Promise<RestartEvidence> {
  const { observer, folders, children, say, signal } = devnet;
  // Not the first one either: clients talk to it.
  const victim = folders.validators.slice(1).findLast((node) => observer.leader?.name !== node.name && node !== liar);
  if (victim === undefined) throw new StepError('there is no validator to kill that is neither leader nor the first');
  const before = observer.finalizedHeight;
  say(`killing ${victim.name} with SIGKILL at height ${before}`);
  observer.setState(victim.name, 'down');
  const child = children.get(victim.name);
  child?.signal('SIGKILL');
  await child?.exited;
  await sleep(DOWN_MS);
  const startedMs = performance.now();
  const blocksMissed = observer.finalizedHeight - before;
  await startNode(devnet, victim);
  const level = (): boolean => {
    const height = finalHeight(observer.node(victim.name));
    return height > before && height >= observer.finalizedHeight - LEVEL_BLOCKS;
  };
  const caughtUp = await until(level, CATCH_UP_TIMEOUT_MS, signal);
  const ms = performance.now() - startedMs;
  say(`${victim.name} ${caughtUp ? 'has caught up' : 'did not catch up'} in ${Math.round(ms)} ms`);
  return { node: victim.name, ms, caughtUp, blocksMissed };
}

/** Tells the last replicator to flip one byte of a replica of which a proof was accepted already. */
export async function corruptReplica(devnet: Devnet): Promise<CorruptionEvidence> {
  const { observer, folders, rpcUrls, say, signal } = devnet;
  const node = folders.replicators.at(-1) as InitializedNode;
  const proven = (): number | undefined => {
    const identity = observer.node(node.name).replicator?.identity;
    const own = observer.replicas.lives.filter((life) => life.identity === identity && life.accepted > 0);
    return own.map((life) => life.segment).sort((a, b) => a - b)[0];
  };
  if (!(await until(() => proven() !== undefined, PROVEN_TIMEOUT_MS, signal)))
    throw new StepError(
      `no proof of ${node.name} was accepted within ${PROVEN_TIMEOUT_MS / 1000} s: nothing to corrupt`,
    );
  const client = new ReplicatorClient(rpcUrls.get(node.name) ?? '');
  const { segment, offset } = await client.injectCorruption(proven());
  const identity = observer.node(node.name).replicator?.identity ?? '';
  say(`${node.name} was told to corrupt byte ${offset} of its replica of segment ${segment}`);
  return { node: node.name, identity, segment, offset };
}

const syncOutput = z.object({ height: z.number(), stateRoot: z.string(), bytes: z.number() });

/** Lets a new node fast-sync from a validator that has pruned, checks its root, then runs it as an archive over what it fetched. */
export async function joinByFastSync(devnet: Devnet): Promise<FastSyncEvidence> {
  const { observer, folders, say, signal, processes } = devnet;
  const { newcomer } = folders;
  // The first validator: it is never killed.
  const peer = folders.validators[0] as InitializedNode;
  const keeps = (): number => observer.node(peer.name).status?.history.startHeight ?? 0;
  await until(() => keeps() > 1, PRUNED_TIMEOUT_MS, signal);
  const [source] = observer.validators;
  if (source === undefined) throw new StepError('no validator is running to name a trusted block');
  const { height, hash } = (await observer.client(source.name).status()).finalized;
  await until(() => finalHeight(observer.node(peer.name)) >= height, CATCH_UP_TIMEOUT_MS, signal);
  const fromKeeps = keeps();
  say(
    `${newcomer.name} fast-syncs from ${peer.name}, which keeps blocks from ${fromKeeps} on, trusting block ${height}`,
  );
  observer.setState(newcomer.name, 'syncing');
  const startedMs = performance.now();
  const args = ['sync', '--config', newcomer.configFile, '--from', peer.peer, '--trust', `${height}:${hash}`, '--json'];
  const output = syncOutput.parse(
    JSON.parse(lastLine(await processes.run(`${newcomer.name}-sync`, args, SYNC_TIMEOUT_MS))),
  );
  const ms = performance.now() - startedMs;
  const { stateRoot } = await observer.client(source.name).block({ height: output.height });
  await startNode(devnet, newcomer);
  const level = (): boolean => finalHeight(observer.node(newcomer.name)) >= observer.finalizedHeight - LEVEL_BLOCKS;
  await until(level, CATCH_UP_TIMEOUT_MS, signal);
  say(`${newcomer.name} synced ${output.bytes} bytes to height ${output.height} in ${Math.round(ms)} ms`);
  return {
    from: peer.name,
    fromKeeps,
    ms,
    bytes: output.bytes,
    height: output.height,
    stateRootEqual: stateRoot === output.stateRoot,
  };
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
