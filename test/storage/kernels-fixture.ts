/** The kernels under the storage tests: whichever twin this machine has. */
import { type Kernels, loadKernels } from '../../native/index.ts';

export const kernels: Kernels = loadKernels();
