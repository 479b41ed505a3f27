/**
 * The oracles hold water: each bug planted here, at a port of the real node or in place of one of its modules, is found by a named scenario that the real
 * code passes (simulation.test.ts). Votes that break the local rule are planted in test/consensus/planted-bugs.test.ts.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Files, StoredFile } from '../../storage/index.ts';
import type { Plant } from '../../tools/simulate/plant.ts';
import type { Scenario } from '../../tools/simulate/scenario.ts';
import { acceptEveryRoot, hunt, replace, restore } from './plants.ts';

type Tally = { readonly current: bigint; readonly previous: bigint };

/** A sync that says that it has synced. */
function lyingSync(isStruck: (path: string) => boolean): Plant {
  const lying = (file: StoredFile): StoredFile => ({ ...file, sync: async () => {} });
  return {
    files: (files: Files): Files => ({
      ...files,
      open: async (path, mode) => {
        const file = await files.open(path, mode);
        return isStruck(path) ? lying(file) : file;
      },
    }),
  };
}

afterEach(restore);

describe('planted bugs are found', { timeout: 300_000 }, () => {
  it('1: the vote file is not synced before a vote is sent', async () => {
    expect(
      await hunt(
        'crashes',
        lyingSync((path) => path === '/data/votes'),
      ),
    ).toMatch(/^(slashable-vote|gave-up)/);
  });

  it('2: a block is final by a child that is not in the very next slot', async () => {
    type Linked = { parent: { header: { hash: Uint8Array } } | null };
    const isLink = (target: Linked, vote: { sourceHash: Uint8Array }): boolean =>
      target.parent !== null && Buffer.compare(vote.sourceHash, target.parent.header.hash) === 0;
    type Child = Linked & { votes: Map<unknown, { vote: { sourceHash: Uint8Array }; counted: boolean }[]> };
    replace('consensus/link', () => ({
      isFinalizingLink: isLink,
      linkVotes: (child: Child) =>
        [...child.votes.values()].flat().flatMap(({ vote, counted }) => (counted && isLink(child, vote) ? [vote] : [])),
    }));
    expect(await hunt('mixed')).toMatch(/^unjustified-finality/);
  });

  it('3: the history is not synced before its index', async () => {
    expect(
      await hunt(
        'crashes',
        lyingSync((path) => path.includes('/history/stream/')),
      ),
    ).toMatch(/^(lost|gave-up)/);
  });

  it('4: signatures are not checked', async () => {
    const plant: Plant = {
      kernels: (real) => ({ ...real, ed25519Verify: (...[, , , , verdicts]) => void verdicts.fill(1) }),
    };
    // An honest leader takes forged votes into its block: whoever is named in them seems to contradict itself.
    expect(await hunt('vote-forger', plant)).toMatch(/^(slashable-vote|unjustified-finality|false-blame|no-progress)/);
  });

  it('5: PoH is not checked', async () => {
    const plant: Plant = { kernels: (real) => ({ ...real, pohVerify: () => -1 }) };
    expect(await hunt('invalid-poh', plant)).toMatch(/^invalid-block/);
  });

  it('6: checksums are not checked when a log is read after a crash', async () => {
    const plant: Plant = { kernels: (real) => ({ ...real, crc32c: () => 7 }) };
    expect(await hunt('disks', plant, {}, 5)).toMatch(/^(gave-up|lost|op-log|state-root|false-blame)/);
  });

  it('7: exactly 2/3 counts as a quorum', async () => {
    replace('consensus/electorate', ({ indexOf }) => ({
      isQuorumOf: (electorate: unknown, { current, previous }: Tally) => {
        const { active } = (indexOf as (electorate: unknown) => { active: Tally })(electorate);
        return current * 3n >= active.current * 2n && previous * 3n >= active.previous * 2n;
      },
    }));
    const changes: Partial<Scenario> = { bonds: [100n, 100n, 100n] };
    expect(await hunt('wires', {}, changes)).toMatch(/^unjustified-finality/);
  });

  it('8: nobody takes over from a silent leader', async () => {
    replace('consensus/succession', ({ firstOwnSlot }) => ({
      firstOwnSlot: (electorate: unknown, parent: { leader: Uint8Array }, query: { own: Uint8Array }) =>
        Buffer.compare(parent.leader, query.own) === 0
          ? (firstOwnSlot as (...given: unknown[]) => number | null)(electorate, parent, query)
          : null,
    }));
    expect(await hunt('leader-cut-off', {}, { byzantine: { 0: 'withheld-entries' } })).toMatch(/^no-progress/);
  });

  it('9: the state root of a block is not compared', async () => {
    acceptEveryRoot();
    expect(await hunt('invalid-state')).toMatch(/^(state-root|gave-up|no-progress|lost)/);
  });
});
