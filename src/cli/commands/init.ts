/** `cairn init`: writes a new network: genesis, and a folder a node with configuration and keys. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Address } from '../../../native/index.ts';
import { formatAddress, parseAddress, signingKey } from '../../codec/index.ts';
import { DEFAULT_PARAMETERS, initNetwork } from '../../node/init.ts';
import { freshSeed, writeKeyFile } from '../../node/key-file.ts';
import { addressText, amountUnits, rentRate, wholeNumber } from '../arguments.ts';
import { type CommonOptions, newCommand, printResult } from '../command.ts';
import { unusable } from '../failure.ts';

interface Options extends CommonOptions {
  readonly name: string;
  readonly validators: number;
  readonly archives: number;
  readonly replicators: number;
  readonly peerPort: number;
  readonly rpcPort: number;
  readonly capacity: number;
  readonly rent: string;
  readonly fund?: string;
  readonly balance: bigint;
}

const BOND = 1_000_000n;
/** Own account of each validator and replicator: fees of its verdicts and proofs, and a replicator's deposit. */
const NODE_BALANCE = 1_000_000_000n;

export function initCommand(): Command {
  return newCommand('init', 'write a new network: genesis, configurations, secret keys (mode 0600)', [
    ['cairn init net', 'one validator, and a funded key in net-wallet.json'],
    ['cairn init net --validators 4 --archives 1 --replicators 2', 'a network on one machine'],
    ['cairn validator --config net/validator-1/config.json', 'start its first node'],
  ])
    .argument('<directory>', 'a new or empty folder')
    .option('--name <name>', 'name of the network, a-z, 0-9 and -', 'local')
    .option('--validators <count>', 'how many validators', wholeNumber(1, 64), 1)
    .option('--archives <count>', 'how many archive nodes', wholeNumber(0, 64), 0)
    .option('--replicators <count>', 'how many replicators', wholeNumber(0, 64), 0)
    .option('--peer-port <port>', "first node's port for peers; the others follow", wholeNumber(1, 65_000), 9100)
    .option('--rpc-port <port>', "first node's RPC port; the others follow", wholeNumber(1, 65_000), 8899)
    .option('--capacity <bytes>', 'replica bytes each replicator keeps', wholeNumber(1, 2 ** 50), 2 ** 30)
    .option(
      '--rent <microunits>',
      'rent of an account: millionths of a unit for each of its 32 bytes and block; 0 for none',
      rentRate,
      DEFAULT_PARAMETERS.rent.microunitsPerByteBlock,
    )
    .option('--fund <address>', 'account that gets --balance (default: a new key beside the folder)', addressText)
    .addOption(
      // Described by hand: commander cannot print a BigInt.
      new Option('--balance <units>', 'what that account gets')
        .argParser(amountUnits)
        .default(1_000_000_000_000n, '1000000000000'),
    )
    .action(run);
}

async function run(directory: string, options: Options): Promise<void> {
  const wallet = options.fund === undefined ? newWallet(`${resolve(directory)}-wallet.json`) : null;
  const funded = wallet?.address ?? parseAddress(options.fund ?? '', '--fund');
  const network = await initNetwork({
    directory: resolve(directory),
    networkName: options.name,
    parameters: { ...DEFAULT_PARAMETERS, rent: { microunitsPerByteBlock: options.rent } },
    validators: options.validators,
    archives: options.archives,
    replicators: options.replicators,
    bond: BOND,
    nodeBalance: NODE_BALANCE,
    accounts: [{ address: funded, balance: options.balance }],
    peerPort: (index) => options.peerPort + index,
    rpcPort: (index) => options.rpcPort + index,
    replicatorCapacityBytes: options.capacity,
  });
  if (wallet !== null) await writeKeyFile(wallet.file, wallet.seed);
  const nodes = network.nodes.map(({ name, role, configFile, peer }) => ({ name, role, configFile, peer }));
  const address = formatAddress(funded);
  printResult(options, { genesis: network.genesisFile, nodes, funded: address, wallet: wallet?.file ?? null }, [
    `genesis  ${network.genesisFile}`,
    `funded   ${address}${wallet === null ? '' : ` (key: ${wallet.file})`}`,
    'start each node with',
    ...nodes.map(({ role, configFile }) => `  cairn ${role} --config ${configFile}`),
  ]);
}

/** A key for the funded account, in memory: it is written once the network is. */
function newWallet(file: string): { readonly file: string; readonly seed: Uint8Array; readonly address: Address } {
  if (existsSync(file))
    throw unusable(`${file} is there already and is never overwritten; move it, or name an account with --fund`);
  const seed = freshSeed();
  return { file, seed, address: signingKey(seed).address };
}
