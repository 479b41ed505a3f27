/**
 * Floor 1: kernels. `loadKernels()` picks the twin; everything above asks this module and never knows which one runs.
 */
export { byteKey, bytesOfKey, sameBytes } from './byte-key.ts';
export type { KernelPath, Kernels, MappedFile } from './kernels.ts';
export { KernelLoadError, loadKernels } from './load.ts';
export { MappedFileError } from './mapped-file-error.ts';
export * from './quantities.ts';
