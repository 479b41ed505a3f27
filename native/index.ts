/**
 * Floor 1: kernels. `loadKernels()` picks the twin; everything above asks this module and never knows which one runs.
 */
export type { KernelPath, Kernels, MappedFile } from './kernels.ts';
export * from './quantities.ts';
