/** The claims of the stake scenarios hold water: each bug planted here makes one of them, or the comparison with the plain rules, fail. */
import { afterEach, describe, expect, it } from 'vitest';
import { acceptEveryRoot, hunt, type Module, replace, restore } from './plants.ts';

type Call = (...given: never[]) => unknown;

/** Some offences are kept from the chain. */
const withoutOffences = (real: Module, ...kinds: readonly string[]) => ({
  offenceOf: (given: { readonly kind: string }) =>
    kinds.includes(given.kind) ? null : (real.offenceOf as Call)(given as never),
});

afterEach(restore);

describe('planted bugs of proof of stake are found', { timeout: 300_000 }, () => {
  it('a bond comes back before its delay is over', async () => {
    replace('ledger/bonds/bond-transactions', (real) => ({
      checkWithdraw: (...given: never[]) => {
        const refusal = (real.checkWithdraw as Call)(...given) as { readonly code: string } | null;
        return refusal?.code === 'bond-not-free' ? null : refusal;
      },
    }));
    expect(await hunt('bonding')).toMatch(/^stake/);
  });

  it('who is back in a stall does not count again', async () => {
    replace('ledger/bonds/exclusion', () => ({ readmitPresent: () => {} }));
    expect(await hunt('long-stall', {}, { faultyMs: 90_000 })).toMatch(/^(stake|no-progress|claim)/);
  });

  it('absence is counted an epoch too early', async () => {
    replace('ledger/bonds/epoch-opening', (real) => ({
      missedEpochs: (...given: never[]) => Math.max(0, ((real.missedEpochs as Call)(...given) as number) + 1),
    }));
    expect(await hunt('away-fast')).toMatch(/^stake/);
  });

  it('members are excluded in a stall although no majority is left', async () => {
    replace('ledger/bonds/exclusion', (real) => ({
      excludeAbsent: (change: { readonly rules: { readonly staleEpochsSlow: number } }) => {
        const rules = { ...change.rules, staleEpochsVerySlow: change.rules.staleEpochsSlow };
        (real.excludeAbsent as Call)(Object.assign(Object.create(change), { rules }) as never);
      },
    }));
    expect(await hunt('halves')).toMatch(/^(stake|conflicting-finality)/);
  });

  it('votes for decoys are not put before the chain', async () => {
    replace('node/duties/offence', (real) => withoutOffences(real, 'decoyVote'));
    expect(await hunt('lazy-voter')).toMatch(/^claim/);
  });

  it('double votes are not put before the chain', async () => {
    replace('node/duties/offence', (real) => withoutOffences(real, 'doubleVote', 'surroundVote'));
    expect(await hunt('double-voter')).toMatch(/^claim/);
  });

  it('state roots are not compared: everybody votes for decoys, and is slashed', async () => {
    // Else the oracle that compares them would be the first to say so, as in planted-bugs.test.ts.
    acceptEveryRoot(true);
    expect(await hunt('lazy-voter')).toMatch(/^(honest-slashed|false-blame)/);
  });

  it('what a leader left out is not handed to the next', async () => {
    replace('node/mempool', ({ Mempool }) => ({
      Mempool: class extends (Mempool as new (max: number) => object) {
        reclaimForwarded(): number {
          return 0;
        }
      },
    }));
    expect(await hunt('censor')).toMatch(/^claim/);
  });

  it('nobody is nominated to follow', async () => {
    replace('node/duties/validator-duties', ({ ValidatorDuties }) => ({
      ValidatorDuties: class extends (ValidatorDuties as new (deps: object) => object) {
        executed(): void {}
      },
    }));
    expect(await hunt('leader-failures')).toMatch(/^claim/);
  });

  it('a hand-over changes nothing', async () => {
    replace('ledger/bonds/succession', () => ({ applyHandOver: () => {} }));
    expect(await hunt('hand-overs')).toMatch(/^(stake|claim)/);
  });
});
