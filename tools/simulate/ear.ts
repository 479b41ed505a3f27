/** The ear on a node's transport: what leaves it is told to the oracles and the timeline; a Byzantine node's tongue is here too. */
import {
  blockVotes,
  decodeBlock,
  decodeHeader,
  decodeVote,
  HEADER_SIZE_BYTES,
  VOTE_SIZE_BYTES,
  voteMessage,
} from '../../src/codec/index.ts';
import type { TransportEar } from '../../src/node/faults/observed-transport.ts';
import type { Byzantium } from './byzantine.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Simulation } from './simulation.ts';
import { shortHash } from './trace.ts';

export function newEar(simulation: Simulation, byzantium: Byzantium, node: SimulatedNode): TransportEar {
  const tongue = byzantium.tongueOf(node);
  const guard = <T>(otherwise: T, act: () => T): T => {
    try {
      return act();
    } catch (error) {
      simulation.stop(error as Error);
      return otherwise;
    }
  };
  let pushed: Uint8Array | undefined;
  return {
    onPublish: (topic, message) =>
      guard(null, () => {
        const said = tongue?.onPublish?.(topic, message) ?? null;
        for (const each of said ?? [message]) {
          byzantium.heardVote(topic, each);
          heardVote(simulation, node, each);
        }
        return said;
      }),
    onPush: (peer, block) =>
      guard(block, () => {
        const said = tongue?.onPush === undefined ? block : tongue.onPush(peer, block);
        // The same bytes go to every peer: looked at once.
        if (said !== null && said !== pushed) heardBlock(simulation, byzantium, node, said);
        pushed = said ?? undefined;
        return said;
      }),
  };
}

function heardVote(
  { chain, oracles, trace, shared }: Simulation,
  { name, isHonest }: SimulatedNode,
  message: Uint8Array,
): void {
  if (message.length < VOTE_SIZE_BYTES) return;
  const vote = decodeVote(message.slice(0, VOTE_SIZE_BYTES));
  // What a liar says in another's name is nobody's vote.
  if (!isHonest && !shared.isSigned(vote.voter, vote.signature, voteMessage(chain.rules.chainId, vote))) return;
  oracles.voteSent(vote);
  const { sourceSlot, targetSlot, targetHash } = vote;
  trace.add('vote', name, { source: sourceSlot, target: targetSlot, hash: shortHash(targetHash) });
}

function heardBlock(
  simulation: Simulation,
  byzantium: Byzantium,
  { name, isHonest }: SimulatedNode,
  block: Uint8Array,
): void {
  const { oracles, trace, shared, times, nowMs } = simulation;
  if (block.length < HEADER_SIZE_BYTES) return;
  const header = decodeHeader(shared.checking, block.slice(0, HEADER_SIZE_BYTES));
  if (!oracles.blockSent(header)) return;
  byzantium.heardBlock(header);
  // A vote that was persisted and not sent before its voter died is first seen in a block.
  if (isHonest)
    for (const vote of blockVotes(decodeBlock(shared.checking, Uint8Array.from(block)).entries)) oracles.voteSent(vote);
  times.sent(header, nowMs);
  trace.add('block', name, {
    slot: header.slot,
    height: header.height,
    hash: shortHash(header.hash),
    sizeBytes: block.length,
  });
}
