/** A new network on disk: complete, startable by its own checks, secret where it must be, and never over something else. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeBase58, formatAddress, signingKey } from '../../src/codec/index.ts';
import { genesisSchema } from '../../src/ledger/genesis-schema.ts';
import { loadNodeConfig } from '../../src/node/config.ts';
import { DEFAULT_PARAMETERS, type InitOptions, initNetwork, peerName } from '../../src/node/init.ts';
import { readKeyFile } from '../../src/node/key-file.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cairn-init-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const other = signingKey(new Uint8Array(32)).address;
function options(changes: Partial<InitOptions> = {}): InitOptions {
  return {
    directory: join(root, 'net'),
    networkName: 'test',
    parameters: DEFAULT_PARAMETERS,
    validators: 2,
    archives: 1,
    replicators: 1,
    bond: 1000n,
    nodeBalance: 5_000_000n,
    accounts: [{ address: other, balance: 7n }],
    peerPort: (index) => 9100 + index,
    rpcPort: (index) => 8900 + index,
    replicatorCapacityBytes: 1 << 30,
    ...changes,
  };
}

describe('initNetwork', () => {
  it('writes a genesis the ledger accepts, with every node and account in it', async () => {
    const network = await initNetwork(options());
    const genesis = genesisSchema.parse(JSON.parse(readFileSync(network.genesisFile, 'utf8')));
    const validators = network.nodes.filter((node) => node.role === 'validator');
    expect(genesis.validators.map((each) => each.publicKey)).toEqual(validators.map((each) => each.publicKey));
    const balances = new Map(genesis.accounts.map((each) => [formatAddress(each.address), each.balance]));
    expect(balances.size).toBe(4);
    expect(balances.get(formatAddress(other))).toBe(7n);
    for (const node of network.nodes)
      if (node.address !== null) expect(balances.get(formatAddress(node.address))).toBe(5_000_000n);
  });

  it('writes configurations that load, keys that are theirs, and bootstrap lists of all others', async () => {
    const { nodes } = await initNetwork(options({ faults: true }));
    expect(nodes.map((node) => node.name)).toEqual(['validator-1', 'validator-2', 'archive-1', 'replicator-1']);
    for (const [index, node] of nodes.entries()) {
      const config = await loadNodeConfig(node.configFile, node.role);
      expect(config.bootstrap).toEqual(nodes.filter((each) => each !== node).map((each) => each.peer));
      expect(config.rpc.port).toBe(8900 + index);
      expect(config.listen).toBe(`/ip4/127.0.0.1/tcp/${9100 + index}`);
      expect(config.faults?.corruptByte).toBe(node.role === 'replicator' ? true : undefined);
      for (const file of [config.networkKeyFile, config.keyFile])
        if (file !== undefined) expect(statSync(file).mode & 0o777).toBe(0o600);
      const networkKey = await readKeyFile(config.networkKeyFile ?? '');
      expect(node.peer.endsWith(`/p2p/${peerName(networkKey.publicKey)}`)).toBe(true);
      if (config.keyFile !== undefined) expect((await readKeyFile(config.keyFile)).publicKey).toEqual(node.publicKey);
    }
  });

  it('names peers as libp2p does', async () => {
    const { peerIdFromPublicKey } = await import('@libp2p/peer-id');
    const { publicKeyFromRaw } = await import('@libp2p/crypto/keys');
    const { publicKey } = signingKey(new Uint8Array(32).fill(9));
    expect(peerName(publicKey)).toBe(peerIdFromPublicKey(publicKeyFromRaw(publicKey)).toString());
    expect(decodeBase58(peerName(publicKey), 38, 'peer').length).toBe(38);
  });

  it('refuses a folder that holds anything, and leaves it as it was', async () => {
    writeFileSync(join(root, 'precious'), 'x');
    await expect(initNetwork(options({ directory: root }))).rejects.toMatchObject({
      code: 'not-empty',
      message: expect.stringContaining('precious'),
    });
  });

  it('refuses counts and parameters that make no network', async () => {
    await expect(initNetwork(options({ validators: 0 }))).rejects.toMatchObject({ code: 'bad-count' });
    await expect(initNetwork(options({ archives: -1 }))).rejects.toThrow('archives');
    await expect(initNetwork(options({ replicators: 100 }))).rejects.toThrow('at most 64');
    await expect(initNetwork(options({ networkName: 'No Such Name' }))).rejects.toMatchObject({
      code: 'invalid-field',
      message: expect.stringContaining('must be 1 to 64 of a-z'),
    });
    expect(readdirSync(join(root, 'net'))).toEqual([]);
  });
});
