/** A genesis document, changes of it, and what it is refused with. */
import { expect } from 'vitest';
import { GenesisError, genesisFrom } from '../../src/ledger/index.ts';
import { document, type Person, person } from './fixture.ts';

export const ann: Person = person('ann');
export const bob: Person = person('bob');
export const cat: Person = person('cat');

/** Three validators, two of them with equal bonds, and two accounts. */
export const sample = (): Record<string, unknown> =>
  document(
    {},
    [
      [ann, 500n],
      [bob, 300n],
    ],
    [
      [ann, 5n],
      [bob, 9n],
      [cat, 9n],
    ],
  );

/** Changes one value deep in a fresh document; undefined removes the field. */
export function changed(path: string, value: unknown): Record<string, unknown> {
  const root = JSON.parse(JSON.stringify(sample())) as Record<string, unknown>;
  const parts = path.split('.');
  let at = root;
  for (const part of parts.slice(0, -1)) at = at[part] as Record<string, unknown>;
  if (value === undefined) delete at[parts.at(-1)!];
  else at[parts.at(-1)!] = value;
  return root;
}

/** What `genesisFrom` throws; fails when it accepts. */
export function refusalOf(source: unknown): GenesisError {
  try {
    genesisFrom(source);
  } catch (error) {
    expect(error).toBeInstanceOf(GenesisError);
    return error as GenesisError;
  }
  throw new Error(`accepted ${JSON.stringify(source).slice(0, 200)}`);
}
