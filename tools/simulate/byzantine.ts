/** How Byzantine nodes lie. They run the real node's code; what leaves them is changed on the way. */
import type { Chance } from './chance.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Simulation } from './simulation.ts';

/** What a lying node says instead. */
export interface Tongue {
  readonly onPublish?: (message: Uint8Array) => readonly Uint8Array[] | null;
  readonly onPush?: (peer: string, block: Uint8Array) => Uint8Array | null;
}

export class Byzantium {
  readonly simulation: Simulation;
  readonly chance: Chance;

  constructor(simulation: Simulation, chance: Chance) {
    this.simulation = simulation;
    this.chance = chance;
  }

  tongueOf(_node: SimulatedNode): Tongue | undefined {
    return undefined;
  }

  up(_node: SimulatedNode): void {}
}
