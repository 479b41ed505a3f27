/** The bare loops as contestants. */
import type { Context, Work } from './model.ts';

/** Work of one loop, or undefined when this machine or build has none. @param units a call does */
export function limitWork({ limits, memory }: Context, name: string, units: number): Work | undefined {
  const loop = limits[name];
  return loop === undefined ? undefined : { units, call: () => void loop(units, memory) };
}
