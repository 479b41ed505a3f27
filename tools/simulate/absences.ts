/** Nodes that go away and come back at set times of each faulty phase: what staleness is about. */
import type { Simulation } from './simulation.ts';

/** Times are from the beginning of the phase, ms with slots of 500 ms. Who has no end comes back when the faults end. */
export interface Absence {
  readonly ranks: readonly number[];
  readonly fromMs: number;
  readonly toMs?: number;
}

export interface AbsenceDeps {
  readonly simulation: Simulation;
  /** How much longer slots are than usual. */
  readonly stretch: number;
  readonly kill: (name: string) => void;
  readonly start: (name: string) => void;
}

/** Plans the absences of a phase. @param isPresent whether the phase is still on */
export function planAbsences(
  { simulation, stretch, kill, start }: AbsenceDeps,
  absences: readonly Absence[],
  fromMs: number,
  isPresent: () => boolean,
): void {
  const { time, trace } = simulation;
  const at = (ms: number, act: () => void): (() => void) =>
    time.at(fromMs + ms * stretch, () => {
      if (isPresent()) act();
    });
  for (const absence of absences) {
    const names = absence.ranks.map((rank) => `v${rank}`);
    at(absence.fromMs, () => {
      trace.add('fault', null, { fault: 'away', nodes: names });
      for (const name of names) kill(name);
    });
    if (absence.toMs === undefined) continue;
    at(absence.toMs, () => {
      for (const name of names) start(name);
    });
  }
}
