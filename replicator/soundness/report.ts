/**
 * The soundness report: every attack by calculation at the size asked for, and for real at a size that can be run in seconds.
 *
 * The verdict is about savings, not about passing: parameters are sound on a machine when nobody who keeps less than (1 - saving) of
 * a replica gets a proof accepted in time. Assumptions and derivations: docs/soundness.md.
 */
import type { Kernels } from '../../native/index.ts';
import { passLog2 } from '../open-plan.ts';
import { sampleCount } from '../sample.ts';
import { type Checkpointing, checkpointings, justInTime, regenerationMs } from './cheats.ts';
import { Lab, type LabReplica } from './lab.ts';
import { type Clock, measureMachine } from './machine.ts';
import {
  type AttackRow,
  type AttackVerdict,
  CAUGHT_LOG2,
  type MachineRates,
  type SoundnessParameters,
  type SoundnessReport,
} from './parameters.ts';
import {
  tryCheckpointing,
  tryCopying,
  tryErasing,
  tryGrinding,
  tryPrecomputing,
  tryReplaying,
  trySecondOutput,
} from './trials.ts';

/** Largest replica the attacks are run on. */
export const SCALED_SIZE_BYTES_MAX: number = 4 * 1024 * 1024;
const ERASED_SHARES = [0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5] as const;
/** Shares kept that the report picks a checkpointing for. */
const KEPT_STEPS = [0.9, 0.5, 0.25, 0.12, 0.06, 0.03, 0.01] as const;
const IDENTITIES = 4;
/** A leader's own slot, the time there is to try period hashes in. */
const GRIND_MS = 500;

/** Time there is: the deadline in mode `open`; the whole period in mode `stream`, whose proofs count until then. */
const limitMs = ({ mode, deadlineMs, periodMs }: SoundnessParameters): number =>
  mode === 'open' ? deadlineMs : periodMs;

/** Everything a row is made from but the derived columns. */
interface Finding
  extends Pick<AttackRow, 'attack' | 'detail' | 'kept' | 'workBytes' | 'workMs' | 'passLog2' | 'measured'> {}

class Reporter {
  readonly #parameters: SoundnessParameters;
  readonly #machine: MachineRates;

  constructor(parameters: SoundnessParameters, machine: MachineRates) {
    this.#parameters = parameters;
    this.#machine = machine;
  }

  row(finding: Finding): AttackRow {
    return { ...finding, workPoh: (finding.workMs * this.#machine.poh) / 1000, verdict: this.#verdict(finding) };
  }

  #verdict({ kept, workMs, passLog2: odds }: Finding): AttackVerdict {
    if (odds <= CAUGHT_LOG2) return 'caught';
    if (workMs > limitMs(this.#parameters)) return 'too late';
    // Shares are computed from one another: what saves exactly the share that counts, counts.
    return 1 - kept < this.#parameters.savingShare - 1e-9 ? 'saves little' : 'PASSES';
  }

  /** How many identities' proofs one cheat gets done in the time there is. */
  identities({ workBytes }: Pick<Checkpointing, 'workBytes'>, ms: number): number {
    const { cores } = this.#parameters;
    if (ms > limitMs(this.#parameters)) return 0;
    return Math.floor((limitMs(this.#parameters) * this.#machine.manyChains * cores) / 1000 / workBytes);
  }
}

/** The parameters at the size the attacks are run at. */
function scaled(parameters: SoundnessParameters): SoundnessParameters {
  const unit = Math.max(1024, parameters.leafSizeBytes);
  const sizeBytes = Math.min(parameters.segmentSizeBytes, Math.floor(SCALED_SIZE_BYTES_MAX / unit) * unit);
  return { ...parameters, segmentSizeBytes: sizeBytes };
}

/** Checkpointings the report shows: for each step the one that keeps most of what is at most that much. */
export function shownCheckpointings(parameters: SoundnessParameters): Checkpointing[] {
  const all = checkpointings(parameters);
  const shown = KEPT_STEPS.map((step) => all.find(({ kept }) => kept <= step)).filter((each) => each !== undefined);
  return shown.filter((each, index) => index === 0 || each !== shown[index - 1]);
}

async function regenerating(
  reporter: Reporter,
  parameters: SoundnessParameters,
  machine: MachineRates,
  lab: Lab,
  own: readonly LabReplica[],
  now: Clock,
): Promise<AttackRow[]> {
  const rows: AttackRow[] = [];
  const jit = justInTime(parameters);
  const describe = async (attack: string, way: Checkpointing, detail: string, run: boolean): Promise<void> => {
    const workMs = regenerationMs(parameters, machine, way);
    const identities = reporter.identities(way, workMs);
    const text = `${detail}; ${identities} identities in time`;
    const { kept, workBytes } = way;
    const measured = run ? await tryCheckpointing(lab, own, way, now) : null;
    rows.push(reporter.row({ attack, detail: text, kept, workBytes, workMs, passLog2: 0, measured }));
  };
  await describe('just-in-time encoder', jit, 'keeps nothing', true);
  for (const [index, way] of shownCheckpointings(parameters).entries()) {
    const detail = `1 block in ${way.spacings.join(' / ')}${parameters.mode === 'open' ? (way.keepsLeafHashes ? ', leaf hashes' : ', subtree roots') : ''}`;
    await describe('checkpointing sibyl', way, detail, index % 2 === 1);
  }
  return rows;
}

/** log2 of the chance that a replica with a share erased passes one proof. */
export function erasedPassLog2(parameters: SoundnessParameters, share: number): number {
  const { mode, segmentSizeBytes, sampleBlockSizeBytes } = parameters;
  if (mode === 'open') return passLog2(share, parameters.sampleCount);
  const blocks = sampleCount({ replicaSizeBytes: segmentSizeBytes, sampleBlockSizeBytes });
  const blockSizeBytes = Math.min(segmentSizeBytes, sampleBlockSizeBytes);
  return passLog2(Math.min(1, share + 31 / blockSizeBytes), blocks);
}

async function guessing(
  reporter: Reporter,
  parameters: SoundnessParameters,
  machine: MachineRates,
  lab: Lab,
  [own, victim]: readonly LabReplica[],
): Promise<AttackRow[]> {
  const rows: AttackRow[] = [];
  const add = (attack: string, detail: string, kept: number, log2: number, measured: AttackRow['measured']): void => {
    rows.push(reporter.row({ attack, detail, kept, workBytes: 0, workMs: 0, passLog2: log2, measured }));
  };
  const { mode, savingShare, checkCount, segmentSizeBytes, leafSizeBytes, cores } = parameters;
  for (const share of ERASED_SHARES) {
    const measured = await tryErasing(lab, own!, share, segmentSizeBytes / leafSizeBytes, 400);
    add('partial eraser', `erased ${share * 100} %`, 1 - share, erasedPassLog2(parameters, share), measured);
  }
  const tries = Math.max(1, machine.poh * cores * (GRIND_MS / 1000));
  const ground = Math.min(0, erasedPassLog2(parameters, savingShare) + Math.log2(tries));
  const few = Math.ceil((-5 * Math.LN2) / Math.log1p(-savingShare));
  const grinding = mode === 'open' ? tryGrinding(lab, savingShare, few, 16, 300) : null;
  const expected = 1 - (1 - (1 - savingShare) ** few) ** 16;
  const really = grinding === null ? '' : `; really: ${few} draws, 16 tries, ${Math.round(300 * expected)} expected`;
  const grind = `a leader tries 2^${Math.log2(tries).toFixed(0)} period hashes${really}`;
  add('grinder', grind, 1 - savingShare, ground, grinding);
  add('grinder', 'a second VRF output', 0, -128, await trySecondOutput(lab, own!));
  const checked = mode === 'stream' ? -256 : -128 * checkCount;
  add('copier', "another identity's replica", 0, checked, await tryCopying(lab, own!, victim!));
  const guess = mode === 'open' ? -parameters.sampleCount * Math.log2(segmentSizeBytes / leafSizeBytes) : -128;
  add('precomputer', 'a proof made before the period', 0, guess, await tryPrecomputing(lab, own!));
  add('replayer', "an old period's proof", 0, -128, await tryReplaying(lab, own!));
  return rows;
}

/** An honest proof: made at the scaled size, from memory, and the levels above the subtrees at full size. */
async function honest(
  reporter: Reporter,
  parameters: SoundnessParameters,
  lab: Lab,
  own: LabReplica,
  now: Clock,
): Promise<AttackRow> {
  const draw = lab.draw(own, 70);
  const started = now();
  const accepted = await lab.accepts(own, own.bytes, draw);
  const workMs = now() - started;
  const measured = { passed: accepted ? 1 : 0, tried: 1, note: 'a real proof, made and verified' };
  const finding = {
    attack: 'honest',
    detail: 'keeps everything',
    kept: 1,
    workBytes: 0,
    workMs,
    passLog2: 0,
    measured,
  };
  return {
    ...reporter.row(finding),
    verdict: workMs > limitMs(parameters) || !accepted ? 'HONEST TOO LATE' : 'honest',
  };
}

/** The longest deadline that nobody meets who saves the share that counts: over all ways known here, not only those shown. */
export function deadlineBound(parameters: SoundnessParameters, machine: MachineRates): number {
  const ways = [justInTime(parameters), ...checkpointings(parameters)];
  const saving = ways.filter(({ kept }) => 1 - kept >= parameters.savingShare);
  return Math.min(...saving.map((way) => regenerationMs(parameters, machine, way)));
}

/** Runs everything: a few seconds. @param now milliseconds, from a clock that never goes back */
export async function soundnessReport(
  kernels: Kernels,
  parameters: SoundnessParameters,
  now: Clock,
): Promise<SoundnessReport> {
  const machine = measureMachine(kernels, now);
  const lab = new Lab(kernels, scaled(parameters));
  const identities = Array.from({ length: IDENTITIES }, (_, index) => lab.replica(`identity ${index}`));
  const reporter = new Reporter(parameters, machine);
  const own = await honest(reporter, parameters, lab, identities[0]!, now);
  const rows = [
    own,
    ...(await regenerating(reporter, parameters, machine, lab, identities, now)),
    ...(await guessing(reporter, parameters, machine, lab, identities)),
  ];
  const deadlineMsMax = deadlineBound(parameters, machine);
  return {
    parameters,
    machine,
    scaledSizeBytes: lab.parameters.segmentSizeBytes,
    rows,
    sound:
      deadlineMsMax > limitMs(parameters) &&
      rows.every(({ verdict }) => verdict !== 'PASSES' && verdict !== 'HONEST TOO LATE'),
    deadlineMsMax,
    honestMs: own.workMs,
  };
}
