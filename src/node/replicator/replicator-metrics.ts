/** A replicator's figures for Prometheus, read when they are asked for. */
import { Gauge, type Registry } from 'prom-client';
import type { ReplicatorStatus } from '../../rpc/replicator-api.ts';

type Reading = readonly [name: string, help: string, read: (status: ReplicatorStatus) => number];

const READINGS: readonly Reading[] = [
  ['cairn_replicator_capacity_bytes', 'Most bytes of replicas kept', ({ capacityBytes }) => capacityBytes],
  ['cairn_replicator_used_bytes', 'Bytes of replicas kept', ({ usedBytes }) => usedBytes],
  ['cairn_replicator_replicas', 'Replicas kept or being made', ({ replicas }) => replicas.length],
  ['cairn_replicator_encodes', 'Segments encoded since the start', ({ encodes }) => encodes],
  ['cairn_replicator_rotations', 'Replicas encoded anew out of themselves', ({ rotations }) => rotations],
  ['cairn_replicator_proofs_sent', 'Proofs sent since the start, fakes included', ({ proofsSent }) => proofsSent],
  ['cairn_replicator_fakes_sent', 'Fakes sent since the start', ({ fakesSent }) => fakesSent],
  ['cairn_replicator_packets_sent', 'Validation packets landed since the start', ({ packetsSent }) => packetsSent],
  ['cairn_replicator_bytes_served', 'Segment bytes given to others', ({ bytesServed }) => bytesServed],
  ['cairn_replicator_proofs_rejected', 'Rejected proofs of present replicas', ({ market }) => market?.rejected ?? 0],
  ['cairn_replicator_misses', 'Periods missed in a row, all replicas together', ({ market }) => market?.misses ?? 0],
  ['cairn_replicator_locked_units', 'Rewards that are not released yet', ({ market }) => Number(market?.locked ?? 0)],
  [
    'cairn_replicator_encoding_progress',
    'Share of the segment under way that is encoded; 1 when none is',
    ({ replicas }) => replicas.find(({ state }) => state === 'encoding')?.progress ?? 1,
  ],
];

/** Registers the gauges. */
export function replicatorMetrics(registry: Registry, api: { status(): ReplicatorStatus }): void {
  for (const [name, help, read] of READINGS) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read(api.status()));
      },
    });
  }
}
