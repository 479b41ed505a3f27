import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { slot } from '../../native/index.ts';
import { makeVoteFiles, VoteFiles } from '../../src/node/chain/vote-files.ts';
import { diskFiles } from '../../storage/index.ts';
import { freshDirectory } from './directories.ts';
import { kernels } from './world.ts';

const options = { kernels, files: diskFiles() };

it('are made once, hold what was written, and are never made anew', async () => {
  const directory = join(await freshDirectory(), 'data');
  await makeVoteFiles(directory, options);
  const one = await VoteFiles.open(directory, options);
  expect([one.isAbsent, one.votes, one.producedSlot]).toEqual([false, new Uint8Array(0), null]);
  await one.files.writeVotes(Uint8Array.of(1, 2, 3));
  await one.files.writeSlot(slot(77));
  await one.files.close();
  await expect(makeVoteFiles(directory, options)).rejects.toMatchObject({ code: 'already-initialized' });
  const two = await VoteFiles.open(directory, options);
  expect([two.isAbsent, two.votes, two.producedSlot]).toEqual([false, Uint8Array.of(1, 2, 3), 77]);
  await two.files.close();
});

it.each(['votes', 'produced-slot'])(
  '%s gone: that is known at every start until something is written',
  async (name) => {
    const directory = join(await freshDirectory(), 'data');
    await makeVoteFiles(directory, options);
    rmSync(join(directory, name));
    for (let start = 0; start < 3; start += 1) {
      const { files, isAbsent } = await VoteFiles.open(directory, options);
      expect(isAbsent).toBe(true);
      await files.close();
    }
    expect(existsSync(join(directory, name))).toBe(false);
    const { files } = await VoteFiles.open(directory, options);
    await files.writeVotes(Uint8Array.of(9));
    await files.close();
    const after = await VoteFiles.open(directory, options);
    expect([after.isAbsent, after.votes]).toEqual([false, Uint8Array.of(9)]);
    await after.files.close();
  },
);

it('a directory that never had them is one that lost them', async () => {
  const directory = await freshDirectory();
  const { files, isAbsent } = await VoteFiles.open(directory, options);
  expect(isAbsent).toBe(true);
  await files.close();
});
