/** Faults that are aimed at whoever leads when they strike, or at who is approved to follow. */
import { sameBytes } from '../../native/index.ts';
import type { SimulatedNode } from './simulated-node.ts';

export type LeaderFault = 'killLeader' | 'stopLeader' | 'killSecondary';

export function isLeaderFault(kind: string): kind is LeaderFault {
  return kind === 'killLeader' || kind === 'stopLeader' || kind === 'killSecondary';
}

/** Whom it strikes; nobody while another validator is down: what is claimed is claimed for one at a time. */
export function struckBy(kind: LeaderFault, nodes: readonly SimulatedNode[]): SimulatedNode | null {
  const validators = nodes.filter(({ rank }) => rank !== null);
  if (validators.some(({ node }) => node === undefined)) return null;
  const leader = validators.find(({ node }) => node?.producer?.isLeading === true);
  if (kind !== 'killSecondary') return leader ?? null;
  const secondary = leader?.node?.tree.best.electorate.secondary ?? null;
  if (secondary === null) return null;
  return validators.find((one) => one !== leader && sameBytes(one.key!.publicKey, secondary)) ?? null;
}
