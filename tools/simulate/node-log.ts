/** What nodes say in their logs that belongs on the timeline, or that an oracle must hear. */
import { decodeBase58 } from '../../src/codec/index.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Simulation } from './simulation.ts';

type Fields = Record<string, unknown>;

const text = (value: unknown): string => (typeof value === 'string' ? value : String(value));

/** Takes one line of a node's log. Throws `Violation`. */
export function onNodeLog(simulation: Simulation, node: SimulatedNode, fields: Fields, message: string): void {
  const { trace } = simulation;
  const { name } = node;
  switch (message) {
    case 'leading':
      trace.add('lead', name, { slot: Number(fields.slot), parent: Number(fields.parent) });
      return;
    case 'no longer leading':
      trace.add('stopLead', name);
      return;
    case 'block refused':
      trace.add('refused', name, { height: Number(fields.height), code: text(fields.code) });
      return;
    case 'evidence of misbehaviour':
      onEvidence(simulation, node, text(fields.kind), text(fields.who));
      return;
    case 'peer banned':
      onBan(simulation, node, text(fields.peer), text(fields.reason));
      return;
  }
}

function onEvidence(
  { trace, oracles, evidence, chain }: Simulation,
  { name, isHonest, lives }: SimulatedNode,
  kind: string,
  who: string,
): void {
  const rank = oracles.rankOf(decodeBase58(who, 32, 'who'));
  trace.add('evidence', name, { evidence: kind, against: rank ?? -1 });
  if (!isHonest || rank === undefined) return;
  // A decoy whose maker died looks like this; it proves nothing to others.
  const isDecoyLike = kind === 'invalidBlock' && chain.genesis.consensus.decoyIntervalSlots > 0;
  if (!isDecoyLike) oracles.blamed(name, rank, `evidence of ${kind}`);
  if (kind !== 'invalidBlock') evidence.push({ by: name, life: lives, against: rank, kind });
}

function onBan(
  { trace, oracles, nodes }: Simulation,
  { name, isHonest }: SimulatedNode,
  peer: string,
  reason: string,
): void {
  trace.add('ban', name, { peer, reason });
  const banned = nodes.find((node) => node.name === peer);
  if (isHonest && banned?.isHonest === true && banned.rank !== null)
    oracles.blamed(name, banned.rank, `banned ${peer}: ${reason}`);
}
