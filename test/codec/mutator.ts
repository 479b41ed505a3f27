/** Seeded mutations of byte strings, the kinds that break parsers: flips, cuts, growth, splices, and numbers at their limits. */

/** mulberry32: a small seeded generator, good enough to choose mutations. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below) | 0;
  };
}

export interface Mutator {
  /** A changed copy. */
  mutate(bytes: Uint8Array): Uint8Array;
}

const limits = [0, 1, 0x7f, 0x80, 0xfe, 0xff];

export function mutatorOf(seed: number): Mutator {
  const random = randomOf(seed);
  const flip = (bytes: Uint8Array) => {
    bytes[random(bytes.length)]! ^= 1 << random(8);
    return bytes;
  };
  const limit = (bytes: Uint8Array) => {
    const start = random(bytes.length);
    return bytes.fill(limits[random(limits.length)]!, start, start + 1 + random(8));
  };
  const noise = (bytes: Uint8Array) => {
    const start = random(bytes.length);
    const end = Math.min(bytes.length, start + 1 + random(16));
    for (let index = start; index < end; index++) bytes[index] = random(256);
    return bytes;
  };
  const cut = (bytes: Uint8Array) => bytes.slice(0, random(bytes.length + 1));
  const grow = (bytes: Uint8Array) => Uint8Array.from([...bytes, ...new Uint8Array(1 + random(8)).fill(random(256))]);
  const remove = (bytes: Uint8Array) => {
    const start = random(bytes.length);
    const end = start + 1 + random(40);
    return Uint8Array.from([...bytes.subarray(0, start), ...bytes.subarray(end)]);
  };
  const repeat = (bytes: Uint8Array) => {
    const start = random(bytes.length);
    return Uint8Array.from([...bytes.subarray(0, start), ...bytes.subarray(Math.max(0, start - 1 - random(64)))]);
  };
  // In-place changes are the likely ones: others mostly end at a length check.
  const changes = [flip, flip, flip, limit, limit, noise, noise, cut, grow, remove, repeat];
  return {
    mutate(original) {
      let bytes: Uint8Array = original.slice();
      for (let rounds = 1 + random(3); rounds > 0 && bytes.length > 0; rounds--)
        bytes = changes[random(changes.length)]!(bytes);
      return bytes;
    },
  };
}
