/** What a simulated node keeps over crashes, what it sends, and how it may behave. */
import type { BlockHeader, Vote } from '../../src/codec/model.ts';
import type { SimBlock } from './chain-model.ts';
import { GENESIS } from './fixture.ts';

export type Behaviour =
  | 'honest'
  | 'silentLeader'
  | 'equivocatingLeader'
  | 'equivocatingVoter'
  | 'eagerLeader'
  | 'omittingLeader'
  | 'lazyVoter'
  | 'dead';

export type Message =
  | { readonly kind: 'block'; readonly block: SimBlock; readonly certificate?: readonly Vote[] }
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'fetch'; readonly key: string }
  | { readonly kind: 'fetchRange'; readonly fromHeight: number; readonly toHeight: number };

export class Disk {
  root: BlockHeader = GENESIS;
  readonly final: SimBlock[] = [{ header: GENESIS, votes: [] }];
  readonly blocks: Map<string, SimBlock> = new Map();
  readonly certificates: Map<string, readonly Vote[]> = new Map();
  ownVotes: Vote[] = [];
  votesLost = false;
  highestSignedSlot = 0;
}
