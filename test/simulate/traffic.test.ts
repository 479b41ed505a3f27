/**
 * What networks of a size send: the model against a measured run, and the figure made of both.
 */
import { describe, expect, it } from 'vitest';
import { trafficChart, trafficCsv } from '../../tools/plots/traffic-plot.ts';
import { measureTraffic, modelTraffic } from '../../tools/simulate/traffic.ts';

describe('traffic by number of validators', () => {
  it('the model says what four real nodes send', async () => {
    const measured = await measureTraffic(4, 5_000);
    const model = modelTraffic(4);
    expect(measured.degree).toBe(3);
    for (const field of ['votesSent', 'voteBytes', 'otherBytes'] as const) {
      expect(measured[field] / model[field]).toBeGreaterThan(0.8);
      expect(measured[field] / model[field]).toBeLessThan(1.25);
    }
  }, 60_000);

  it('votes sent grow with voters and neighbours, and the figure shows them', () => {
    // A full mesh of 4: each vote crosses 3 wires from its voter and 2 from each of the 3 others: 9, twice a second.
    expect(modelTraffic(4).votesSent).toBe(18);
    expect(modelTraffic(1_000).votesSent).toBeGreaterThan(modelTraffic(1_000, 6).votesSent);
    const measured = [{ ...modelTraffic(4), finality: null }];
    expect(trafficCsv(measured).split('\n')[1]).toBe('measured,4,3,18,4752,3564');
    expect(trafficChart(measured)).toMatch(/^<svg/);
  });
});
