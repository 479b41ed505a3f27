/** The consensus core: `createConsensus`, `step`, and selectors over the state. See docs/protocol.md. */
export { createConsensus } from './create.ts';
export type { Electorate, ElectorateIndex, Member, Tally } from './electorate.ts';
export {
  addVoter,
  addWeight,
  holdsHonestOf,
  indexOf,
  isQuorumOf,
  NO_TALLY,
  rankOf,
} from './electorate.ts';
export { surrounds } from './evidence.ts';
export type {
  ConsensusConfig,
  ConsensusEffect,
  ConsensusErrorCode,
  ConsensusEvent,
  ConsensusParameters,
  ConsensusStart,
  DecoyReveal,
  Evidence,
  Executed,
  PeerFaultCode,
  PeerName,
  VoteIntent,
} from './model.ts';
export { ConsensusError } from './model.ts';
export type { VoteTally } from './selectors.ts';
export {
  bestElectorate,
  bestHeader,
  certificateVotes,
  distrustedLeaders,
  electorateOf,
  finalizedElectorate,
  finalizedHeader,
  isCatchingUp,
  isConflicted,
  isLeading,
  isStalled,
  justifiedHeader,
  knowsVoter,
  leaderFor,
  silenceOf,
  unfinalizedCount,
  voteTally,
} from './selectors.ts';
export type { ConsensusState, Silence } from './state.ts';
export { ConsensusInvariantError } from './state.ts';
export { step } from './step.ts';
export type { LedBlock, TurnParameters } from './succession.ts';
export { leaderOf, lineOf } from './succession.ts';
