/**
 * Floor 1: kernels. `loadKernels()` picks the twin; everything above asks this module and never knows which one runs.
 */
export { byteKey, bytesOfKey, sameBytes } from './byte-key.ts';
export type { GivenTable, KernelPath, Kernels, TableArena, TableShards } from './kernels.ts';
export { KernelLoadError, type KernelsName, kernelsOf, loadKernels } from './load.ts';
export * from './quantities.ts';
export { TableMemoryError } from './raw-kernels.ts';
