/** Every check of a run fails when its figure is broken, and only then. */
import { describe, expect, it } from 'vitest';
import { CHECKS, judge } from '../../tools/devnet/checks.ts';
import type { Evidence } from '../../tools/devnet/evidence.ts';
import { ReplicaTracker } from '../../tools/devnet/replicas.ts';
import { makeReport, type RunFigures, summarize } from '../../tools/devnet/report.ts';

const life = (identity: string, segment: number, changes = {}): Evidence['replicas'][number] => ({
  identity,
  segment,
  commits: 2,
  accepted: 3,
  rejected: 0,
  late: 0,
  expired: 0,
  acceptedAtFirstRejection: null,
  ...changes,
});

const damaged = life('r2', 2, { accepted: 1, rejected: 2, acceptedAtFirstRejection: 1 });
const compared = (node: string) => ({ node, checked: 10, mismatched: 0, examples: [] });
const root = (node: string) => ({ node, height: 9, stateRoot: 'R' });

const kept = (node: string, changes: object) => ({
  node,
  mode: 'pruned' as const,
  startHeight: 9,
  keptBytes: 900,
  prunedBytes: 100,
  waitingSegments: 0,
  ...changes,
});

const GOOD: Evidence = {
  transfers: { submitted: 10, final: 10, open: 0, refused: [], planExhausted: true },
  balances: [compared('validator-1'), compared('archive-2')],
  heights: [
    { node: 'validator-1', height: 30 },
    { node: 'archive-2', height: 28 },
  ],
  roots: [root('validator-1'), root('archive-2')],
  supply: { genesis: 100n, readings: [{ node: 'validator-1', total: 100n }] },
  replicas: [life('r1', 0), life('r2', 0), life('r1', 1), life('r2', 1), damaged],
  corruption: { node: 'replicator-2', identity: 'r2', segment: 2, offset: 5 },
  histories: [kept('validator-1', {}), kept('archive-1', { mode: 'archive', startHeight: 1, prunedBytes: 0 })],
  fastSync: { from: 'validator-1', fromKeeps: 9, ms: 5, bytes: 5, height: 5, stateRootEqual: true },
  restart: { node: 'validator-4', ms: 5, caughtUp: true, blocksMissed: 6 },
  consensus: {
    elections: 1,
    leaders: ['validator-1'],
    epoch: 3,
    era: 2,
    slashed: ['validator-3'],
    stale: [],
    decoys: 1,
    evidence: 1,
    conflicts: 0,
  },
  mischief: { kind: 'twin', node: 'validator-3', isProvable: true },
  partition: { sides: ['a', 'b'], forMs: 5_000, finalized: [4, 0] },
  unexpectedExits: [],
  stepFailures: [],
  interrupted: false,
};

const transfers = (changes: object): Partial<Evidence> => ({ transfers: { ...GOOD.transfers, ...changes } });
const withDamaged = (changes: object): Partial<Evidence> => ({
  replicas: [...GOOD.replicas.slice(0, -1), { ...damaged, ...changes }],
});

const synced = { from: 'validator-1', fromKeeps: 9, ms: 5, bytes: 5, height: 5, stateRootEqual: true };

const consensus = (changes: object): Partial<Evidence> => ({ consensus: { ...GOOD.consensus, ...changes } });

const BROKEN: readonly (readonly [check: string, what: string, changes: Partial<Evidence>])[] = [
  ['transfersFinal', 'one not final', transfers({ final: 9, open: 1 })],
  ['transfersFinal', 'one refused', transfers({ refused: [{ index: 3, code: 'insufficient-funds', message: 'm' }] })],
  ['transfersFinal', 'none at all', transfers({ submitted: 0, final: 0 })],
  ['transfersFinal', 'a file not handed out whole', transfers({ planExhausted: false })],
  ['slashing', 'the cheat goes free', consensus({ slashed: [] })],
  ['slashing', 'an honest one is slashed', consensus({ slashed: ['validator-3', 'validator-1'] })],
  ['oneFinality', 'finality has split', consensus({ conflicts: 1 })],
  ['oneFinality', 'both sides finalize', { partition: { sides: ['a', 'b'], forMs: 5_000, finalized: [4, 1] } }],
  ['balances', 'one differs', { balances: [compared('a'), { ...compared('b'), mismatched: 1 }] }],
  ['balances', 'none was read', { balances: [compared('a'), { ...compared('b'), checked: 0 }] }],
  ['balances', 'only one node', { balances: [compared('a')] }],
  [
    'nodesLevel',
    'one does not follow',
    {
      heights: [
        { node: 'a', height: 30 },
        { node: 'b', height: 0 },
      ],
    },
  ],
  ['nodesLevel', 'nothing is final', { heights: [{ node: 'a', height: 0 }] }],
  ['stateRoots', 'another root', { roots: [root('a'), { ...root('b'), stateRoot: 'S' }] }],
  ['stateRoots', 'another height', { roots: [root('a'), { ...root('b'), height: 8 }] }],
  ['stateRoots', 'only one node', { roots: [root('a')] }],
  ['supply', 'a unit too many', { supply: { genesis: 100n, readings: [{ node: 'a', total: 101n }] } }],
  ['supply', 'not read', { supply: { genesis: 100n, readings: [] } }],
  ['replication', 'one replica of a segment', { replicas: [...GOOD.replicas.slice(1)] }],
  ['replication', 'two periods only', { replicas: [life('r1', 0, { accepted: 2 }), ...GOOD.replicas.slice(1)] }],
  ['replication', 'no rotation', { replicas: [life('r1', 0, { commits: 1 }), ...GOOD.replicas.slice(1)] }],
  ['honestReplicas', 'rejected', { replicas: [life('r1', 0, { rejected: 1 }), ...GOOD.replicas.slice(1)] }],
  ['corruption', 'not done', { corruption: null, replicas: GOOD.replicas.slice(0, -1) }],
  ['corruption', 'not caught', withDamaged({ rejected: 0, acceptedAtFirstRejection: null })],
  ['corruption', 'accepted again later', withDamaged({ accepted: 2 })],
  ['fastSync', 'not done', { fastSync: null }],
  ['fastSync', 'another root', { fastSync: { ...synced, stateRootEqual: false } }],
  ['fastSync', 'from a node that has everything', { fastSync: { ...synced, fromKeeps: 1 } }],
  ['pruning', 'nobody does', { histories: GOOD.histories.slice(1) }],
  [
    'pruning',
    'one has not',
    { histories: [...GOOD.histories, kept('validator-2', { startHeight: 1, prunedBytes: 0 })] },
  ],
  ['pruning', 'no archive has all', { histories: GOOD.histories.slice(0, 1) }],
  ['pruning', 'the archive pruned', { histories: [kept('v', {}), kept('a', { mode: 'archive' })] }],
  ['restart', 'not done', { restart: null }],
  ['restart', 'behind', { restart: { node: 'v', ms: 5, caughtUp: false, blocksMissed: 1 } }],
  ['processes', 'one died', { unexpectedExits: ['archive-1 ended by itself'] }],
  ['steps', 'one failed', { stepFailures: ['fast sync: no'] }],
  ['completed', 'stopped', { interrupted: true }],
];

describe('the checks', () => {
  it('hold for a good run', () => {
    expect(judge(GOOD)).toEqual([]);
  });

  it.each(BROKEN)('%s fails: %s', (check, _, changes) => {
    const failures = judge({ ...GOOD, ...changes });
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatch(new RegExp(`^${check}: .{10}`));
  });

  it('each has a case that breaks it', () => {
    expect(new Set(BROKEN.map(([check]) => check))).toEqual(new Set(Object.keys(CHECKS)));
  });
});

const FIGURES: RunFigures = {
  workload: 'zipf',
  seed: 1,
  durationMs: 60_000.4,
  activeMs: 2_000,
  finalityMs: { p50: 1500, p99: 2500 },
  pohHashesPerSecond: 100_000.2,
  blocks: 120,
  segments: 4,
  historyBytes: 1_000_000,
  replicasEncoded: 8,
  proofsVerified: 40,
  proofsRejected: 2,
  proofsExpired: 0,
  verifications: 160,
  kernels: 'native',
  resigned: 0,
  callsFailed: 0,
  rows: null,
  nodes: [],
  node: 'v20.20.2',
};

describe('the report', () => {
  it('has every field that was promised, and is plain JSON', () => {
    const report = JSON.parse(JSON.stringify(makeReport(GOOD, FIGURES)));
    expect(report).toMatchObject({
      ok: true,
      failures: [],
      transfersFinal: 10,
      transfersPerSecond: 5,
      finalityMs: { p50: 1500, p99: 2500 },
      pohHashesPerSecond: 100_000,
      blocks: 120,
      segments: 4,
      proofsVerified: 40,
      proofsRejected: 2,
      rotations: 1,
      fastSync: { ms: 5, bytes: 5, stateRootEqual: true },
      restart: { ms: 5, caughtUp: true },
      prunedBytes: 100,
      balances: { checked: 20, mismatched: 0 },
      kernels: 'native',
    });
  });

  it('is not ok when a check failed, and says which, to machines and to people', () => {
    const bad = { ...GOOD, fastSync: null };
    expect(makeReport(bad, FIGURES)).toMatchObject({ ok: false, failures: ['fastSync: no node was fast-synced'] });
    expect(summarize(bad, FIGURES).join('\n')).toContain('1 checks failed:\n  fastSync: no node was fast-synced');
    expect(summarize(GOOD, FIGURES)).toContain('every check held');
  });
});

describe('the replica tracker', () => {
  const row = (changes: object) => ({
    identity: 'r1',
    segment: 0,
    rotation: 0,
    commits: 1,
    replicaRoot: '',
    accepted: 0,
    rejected: 0,
    expired: 0,
    lastPeriod: null,
    ...{ reason: 'unstated', paid: 0, since: 0, misses: 0, isLapsed: false },
    proof: 'none' as const,
    ...changes,
  });

  it('remembers how many were accepted when the first rejection was seen', () => {
    const tracker = new ReplicaTracker();
    tracker.observe([row({ accepted: 2 })]);
    tracker.observe([row({ accepted: 3, rejected: 1 })]);
    tracker.observe([row({ accepted: 4, rejected: 2 })]);
    expect(tracker.find('r1', 0)).toMatchObject({ accepted: 4, rejected: 2, acceptedAtFirstRejection: 3 });
    expect(tracker.lives).toHaveLength(1);
  });

  it('counts proofs that came too late by themselves', () => {
    const tracker = new ReplicaTracker();
    tracker.observe([row({ accepted: 2, rejected: 2, reason: 'late' })]);
    expect(tracker.find('r1', 0)).toMatchObject({ rejected: 0, late: 2, acceptedAtFirstRejection: null });
    tracker.observe([row({ accepted: 3, rejected: 3, reason: 'samples-root' })]);
    tracker.observe([row({ accepted: 3, rejected: 4, reason: 'late' })]);
    tracker.observe([row({ accepted: 3, rejected: 3, reason: 'samples-root' })]);
    expect(tracker.find('r1', 0)).toMatchObject({ rejected: 1, late: 3, acceptedAtFirstRejection: 3 });
  });

  it('passes over an answer from an older block', () => {
    const tracker = new ReplicaTracker();
    tracker.observe([row({ accepted: 5, commits: 2 })]);
    tracker.observe([row({ accepted: 4, commits: 2 })]);
    expect(tracker.find('r1', 0)).toMatchObject({ accepted: 5, commits: 2 });
  });
});
