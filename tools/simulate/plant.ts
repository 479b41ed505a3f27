/** Bugs to plant at the seams of a node, to see that they are found. Nothing of the production code knows of them. */
import type { Kernels } from '../../native/index.ts';
import type { FilesPlant } from './node-disk.ts';

export interface Plant {
  /** Changes the kernels that all nodes get; the oracles keep the real ones. */
  readonly kernels?: (kernels: Kernels) => Kernels;
  /** Changes the files that honest nodes get. */
  readonly files?: FilesPlant;
}
