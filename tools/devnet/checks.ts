/**
 * Judges a run: every claim the devnet makes, as a function from evidence to the sentence that says what is wrong, or null.
 * Pure; each check stands alone, and each must fail when its figure is broken (test/devnet/checks.test.ts).
 */
import type { BalanceComparison, Evidence, HistoryReading } from './evidence.ts';
import type { ReplicaLife } from './replicas.ts';

/** Nodes whose balances must be compared: one validator and the fast-synced node. */
export const BALANCE_SOURCES_MIN = 2;
export const PROVEN_SEGMENTS_MIN = 2;
export const PROVEN_REPLICAS_MIN = 2;
export const PROVEN_PERIODS_MIN = 3;
/** First commit and one rotation. */
export const COMMITS_MIN = 2;

/** A node further behind than this does not follow: at two blocks a second, ten seconds. */
export const BEHIND_BLOCKS_MAX = 20;

type Check = (evidence: Evidence) => string | null;

/** Every check, by name, in the order of the report. */
export const CHECKS: Readonly<Record<string, Check>> = {
  transfersFinal,
  balances,
  nodesLevel,
  stateRoots,
  supply,
  replication: ({ replicas }) => replicationFailure(replicas),
  honestReplicas,
  corruption,
  pruning: ({ histories }) => pruningFailure(histories),
  fastSync,
  restart,
  slashing,
  oneFinality,
  processes,
  steps,
  completed,
};

/** The failures of a run; empty when every check held. */
export function judge(evidence: Evidence): string[] {
  return Object.entries(CHECKS).flatMap(([name, check]) => {
    const failure = check(evidence);
    return failure === null ? [] : [`${name}: ${failure}`];
  });
}

function transfersFinal({ transfers }: Evidence): string | null {
  const { submitted, final, open, refused, planExhausted } = transfers;
  const [first] = refused;
  if (first !== undefined)
    return `${refused.length} transfers were refused; the first, number ${first.index}: ${first.code}: ${first.message}`;
  if (open > 0 || final !== submitted)
    return `${submitted} transfers were submitted, ${final} are final, ${open} are still open`;
  if (!planExhausted) return `time ran out after ${submitted} transfers of the file: give it longer with --for`;
  return submitted === 0 ? 'no transfer was submitted' : null;
}

function balances({ balances: comparisons }: Evidence): string | null {
  if (comparisons.length < BALANCE_SOURCES_MIN)
    return `balances were read from ${comparisons.length} nodes, expected ${BALANCE_SOURCES_MIN}`;
  const bad = comparisons.find((each) => each.mismatched > 0 || each.checked === 0);
  return bad === undefined ? null : describeBalances(bad);
}

function describeBalances({ node, checked, mismatched, examples }: BalanceComparison): string {
  if (checked === 0) return `no balance was read from ${node}`;
  const [first] = examples;
  const detail = first === undefined ? '' : `; ${first.account}: expected ${first.expected}, found ${first.found}`;
  return `${mismatched} of ${checked} balances on ${node} differ from the recomputation${detail}`;
}

function nodesLevel({ heights }: Evidence): string | null {
  const best = Math.max(0, ...heights.map((each) => each.height));
  if (best === 0) return 'no block became final';
  const behind = heights.filter((each) => each.height < best - BEHIND_BLOCKS_MAX);
  const list = behind.map(({ node, height }) => `${node} is at ${height}`).join(', ');
  return behind.length === 0 ? null : `${list}, while the furthest is at final height ${best}`;
}

function stateRoots({ roots }: Evidence): string | null {
  if (roots.length < BALANCE_SOURCES_MIN) return `state roots were read from ${roots.length} nodes at one height`;
  const [first, ...others] = roots;
  const other = others.find((each) => each.height !== first?.height || each.stateRoot !== first.stateRoot);
  if (first === undefined || other === undefined) return null;
  return `${first.node} has ${first.stateRoot} at height ${first.height}, ${other.node} has ${other.stateRoot} at ${other.height}`;
}

function supply({ supply: { genesis, readings } }: Evidence): string | null {
  if (readings.length === 0) return 'the supply was read from no node';
  const bad = readings.find((each) => each.total !== genesis);
  return bad === undefined ? null : `${bad.node} counts ${bad.total} units, genesis made ${genesis}`;
}

/** Whether enough segments have enough replicas, each proven long enough and rotated. */
export function replicationFailure(replicas: readonly ReplicaLife[]): string | null {
  const bySegment = new Map<number, number>();
  for (const life of replicas) if (isProven(life)) bySegment.set(life.segment, (bySegment.get(life.segment) ?? 0) + 1);
  const proven = [...bySegment.values()].filter((count) => count >= PROVEN_REPLICAS_MIN).length;
  if (proven >= PROVEN_SEGMENTS_MIN) return null;
  return (
    `${proven} segments have ${PROVEN_REPLICAS_MIN} replicas proven in ${PROVEN_PERIODS_MIN} periods and rotated once, ` +
    `expected ${PROVEN_SEGMENTS_MIN}`
  );
}

function isProven({ accepted, commits }: ReplicaLife): boolean {
  return accepted >= PROVEN_PERIODS_MIN && commits >= COMMITS_MIN;
}

function honestReplicas({ replicas, corruption: damaged }: Evidence): string | null {
  const bad = replicas.find(
    ({ identity, segment, rejected }) =>
      rejected > 0 && !(identity === damaged?.identity && segment === damaged.segment),
  );
  return bad === undefined
    ? null
    : `${bad.rejected} proofs of ${bad.identity} for segment ${bad.segment} were rejected, yet it is honest`;
}

function corruption({ corruption: damaged, replicas }: Evidence): string | null {
  if (damaged === null) return 'no replica was corrupted';
  const life = replicas.find(({ identity, segment }) => identity === damaged.identity && segment === damaged.segment);
  if (life === undefined || life.rejected === 0 || life.acceptedAtFirstRejection === null)
    return `no proof of the corrupted replica (segment ${damaged.segment} of ${damaged.node}) was rejected`;
  const since = life.accepted - life.acceptedAtFirstRejection;
  return since === 0 ? null : `${since} proofs of the corrupted replica were accepted after the first was rejected`;
}

/** Whether every validator has pruned, and an archive still has everything. */
export function pruningFailure(histories: readonly HistoryReading[]): string | null {
  const pruned = histories.filter(({ mode }) => mode === 'pruned');
  if (pruned.length === 0) return 'no node prunes its history';
  const full = pruned.find(({ prunedBytes, startHeight }) => prunedBytes === 0 || startHeight <= 1);
  if (full !== undefined)
    return `${full.node} pruned nothing; ${full.waitingSegments} segments wait for proven replicas`;
  const whole = histories.find(
    ({ mode, startHeight, prunedBytes }) => mode === 'archive' && startHeight === 1 && prunedBytes === 0,
  );
  return whole === undefined ? 'no archive keeps the history from its first block on' : null;
}

function fastSync({ fastSync: sync }: Evidence): string | null {
  if (sync === null) return 'no node was fast-synced';
  if (sync.fromKeeps <= 1) return `${sync.from}, which the new node synced from, had pruned nothing yet`;
  return sync.stateRootEqual ? null : `the fast-synced node reached another state root at height ${sync.height}`;
}

function restart({ restart: restarted }: Evidence): string | null {
  if (restarted === null) return 'no validator was killed and restarted';
  return restarted.caughtUp ? null : `${restarted.node} had not caught up ${restarted.ms} ms after its restart`;
}

/** Who cheated is slashed, and nobody else. */
function slashing({ consensus: { slashed }, mischief }: Evidence): string | null {
  const innocent = slashed.find((node) => node !== mischief?.node);
  if (innocent !== undefined) return `${innocent} was slashed, yet it is honest`;
  if (mischief?.isProvable !== true || slashed.includes(mischief.node)) return null;
  return `${mischief.node} (${mischief.kind}) was not slashed`;
}

/** Nobody has seen finality split, and of the sides of a partition at most one has finalized. */
function oneFinality({ consensus: { conflicts }, partition }: Evidence): string | null {
  if (conflicts > 0) return `${conflicts} nodes have seen finality split`;
  const active = partition?.finalized.filter((blocks) => blocks > 0).length ?? 0;
  return active <= 1 ? null : `${active} sides of the partition have finalized`;
}

function processes({ unexpectedExits }: Evidence): string | null {
  return unexpectedExits.length === 0 ? null : unexpectedExits.join('; ');
}

function steps({ stepFailures }: Evidence): string | null {
  return stepFailures.length === 0 ? null : stepFailures.join('; ');
}

function completed({ interrupted }: Evidence): string | null {
  return interrupted ? 'the run was stopped before its end' : null;
}
