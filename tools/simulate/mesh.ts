/** Who passes gossip on to whom in a large network: a ring with chords of doubling length, so that each has few neighbours and all are few steps apart. */

/** Up to here everybody passes on to everybody. */
const FULL_MESH_MAX = 12;

/** To how many one of `count` nodes passes a message on. */
export function meshDegree(count: number): number {
  if (count <= FULL_MESH_MAX) return count - 1;
  let degree = 0;
  for (let distance = 1; 2 * distance <= count; distance *= 2) degree += 2 * distance === count ? 1 : 2;
  return degree;
}

/** @param names of all nodes, in order; read when asked */
export function meshOf(names: () => readonly string[]): (a: string, b: string) => boolean {
  let places: ReadonlyMap<string, number> | undefined;
  return (a, b) => {
    places ??= new Map(names().map((name, place) => [name, place]));
    const count = places.size;
    if (count <= FULL_MESH_MAX) return true;
    const apart = Math.abs((places.get(a) ?? 0) - (places.get(b) ?? 0));
    const distance = Math.min(apart, count - apart);
    return (distance & (distance - 1)) === 0;
  };
}
