/** Everybody who uses the network from outside: those who send transfers, those who bond and leave, and those whose transfers are timed. */
import type { ChainNode } from '../../src/node/chain-node.ts';
import { Chance } from './chance.ts';
import { Probes } from './probes.ts';
import type { Simulation } from './simulation.ts';
import { Staking } from './staking.ts';
import { Workload } from './workload.ts';

/** How often they come, ms with slots of 500 ms. */
const CLIENT_MS = [400, 3_000] as const;
const STAKING_MS = [300, 2_300] as const;
const PROBE_MS = [700, 2_700] as const;

export class Clients {
  readonly probes: Probes;
  readonly #simulation: Simulation;
  readonly #workload: Workload;
  readonly #staking: Staking;
  /** When the next one comes. */
  readonly #chance: Chance;

  constructor(simulation: Simulation, chance: Chance) {
    const { chain, shared, oracles, options } = simulation;
    const chanceOf = (stream: string): Chance => new Chance(options.seed, stream);
    this.#simulation = simulation;
    this.#chance = chance;
    this.#workload = new Workload(chain, shared, chanceOf('workload'));
    this.#staking = new Staking(chain, shared, chanceOf('staking'), oracles.watch);
    this.probes = new Probes(chain, shared, chanceOf('probes'));
  }

  /** They begin to come. */
  start(): void {
    const { staking = false, probes = false } = this.#simulation.options.scenario;
    this.#visit(CLIENT_MS, () => this.#workload.submit(this.#up(() => true)));
    const honest = (): ChainNode[] => this.#up(({ isHonest }) => isHonest);
    if (staking) this.#visit(STAKING_MS, () => this.#staking.visit(honest()));
    if (probes) this.#visit(PROBE_MS, () => this.probes.send(honest()));
  }

  #visit([low, high]: readonly [number, number], act: () => void): void {
    const { time, stretch } = this.#simulation;
    time.after(this.#chance.between(low, high) * stretch, () => {
      act();
      this.#visit([low, high], act);
    });
  }

  #up(isAsked: (node: { readonly isHonest: boolean }) => boolean): ChainNode[] {
    return this.#simulation.nodes.flatMap((one) => (isAsked(one) ? (one.node ?? []) : []));
  }
}
