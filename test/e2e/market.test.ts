/** The replication market with real processes: who is paid, who is refused and why, and history from replicas alone. */
import { describe, expect, it } from 'vitest';
import { runCheats } from '../../tools/devnet/cheats/run-cheats.ts';

describe('four replicators of which three cheat', () => {
  it('pays exactly the honest one, names the reasons, and restores the history when the last archive is dead', async () => {
    const { report } = await runCheats({
      dataDirectory: null,
      seed: 1,
      say: () => {},
      stop: new AbortController().signal,
    });
    expect(report.failures).toEqual([]);
    expect(report.parties.map(({ what, paidUnits }) => `${what} ${BigInt(paidUnits) > 0n}`)).toEqual([
      'honest true',
      'erases 5 % false',
      'answers late false',
      'copies another false',
    ]);
    expect(report.restored).toMatchObject({ different: 0, stateRootEqual: true });
  }, 900_000);
});
