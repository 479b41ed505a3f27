/**
 * A process of the sync benchmark: serves the state store in a folder over libp2p until its standard input ends.
 *
 * Prints one line of JSON when it is ready: its address and the height it serves. Arguments: the folder.
 */
import { loadKernels } from '../../native/index.ts';
import { createLibp2pTransport } from '../../src/net/libp2p-transport.ts';
import { StateService } from '../../src/node/serve/state-service.ts';
import { StateStore } from '../../storage/index.ts';

const directory = process.argv[2];
if (directory === undefined) throw new RangeError('name the folder of a state store');
const kernels = loadKernels();
const store = await StateStore.open({ directory, kernels, chainId: new Uint8Array(32) });
const networkKeySeed = new Uint8Array(32);
crypto.getRandomValues(networkKeySeed);
const transport = await createLibp2pTransport({ networkKeySeed, listen: ['/ip4/127.0.0.1/tcp/0'] });
const service = new StateService({ transport, source: store });
await transport.start();
process.stdout.write(`${JSON.stringify({ address: transport.addresses()[0], height: store.tip.height })}\n`);
process.stdin.resume().once('end', async () => {
  service.close();
  await transport.stop();
  await store.close();
});
