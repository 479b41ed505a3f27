/**
 * Methods about the node and the cluster: health, version, identity, where the chain is, who is in it.
 */
import { RpcCode, RpcError } from '../json-rpc.ts';
import { type MethodTable, method } from '../method.ts';
import type { NodeApi } from '../node-api.ts';
import { commitmentConfig } from '../parameters.ts';
import { amountText, hashText, toWire, withContext } from '../wire.ts';

export function clusterMethods(api: NodeApi): MethodTable {
  return {
    getHealth: method({}, async () => {
      const { ok, reason } = await api.health();
      if (!ok) throw new RpcError(RpcCode.nodeUnhealthy, `Node is unhealthy: ${reason}`);
      return 'ok';
    }),
    getVersion: method({}, async () => {
      const { version, kernels } = await api.version();
      return { 'cairn-core': version, kernels };
    }),
    getGenesisHash: method({}, async () => hashText(await api.genesisHash())),
    getIdentity: method({}, async () => {
      const { role, peer, publicKey } = await api.identity();
      return { identity: publicKey === null ? null : toWire(publicKey), role, peer };
    }),
    getSlot: method({ config: commitmentConfig }, async ({ config }) => (await api.point(config.commitment)).slot),
    getBlockHeight: method(
      { config: commitmentConfig },
      async ({ config }) => (await api.point(config.commitment)).height,
    ),
    getVoteAccounts: method({ config: commitmentConfig }, () => voteAccounts(api)),
    cairn_getValidators: method({}, async () => toWire(await api.validators())),
    getSupply: method({ config: commitmentConfig }, () => supply(api)),
    getClusterNodes: method({}, async () => {
      const nodes = await api.clusterNodes();
      return nodes.map((node) => ({
        ...toWire(node),
        pubkey: node.publicKey === null ? null : toWire(node.publicKey),
        gossip: node.addresses[0] ?? null,
      }));
    }),
    cairn_getStatus: method({}, async () => toWire(await api.status())),
  };
}

async function voteAccounts(api: NodeApi): Promise<object> {
  const accounts = (await api.voteAccounts()).map((account) => ({
    current: account.current,
    row: {
      votePubkey: toWire(account.publicKey),
      nodePubkey: toWire(account.publicKey),
      activatedStake: amountText(account.bond),
      lastVote: account.lastVoteSlot,
    },
  }));
  const rows = (current: boolean) => accounts.filter((one) => one.current === current).map((one) => one.row);
  return { current: rows(true), delinquent: rows(false) };
}

async function supply(api: NodeApi): Promise<object> {
  const { slot, total, deposits, bonds, evicted, rewardPool } = await api.supply();
  return withContext(slot, {
    total: amountText(total),
    circulating: amountText(total - deposits - bonds - evicted - rewardPool),
    nonCirculating: amountText(deposits + bonds + evicted + rewardPool),
    deposits: amountText(deposits),
    bonds: amountText(bonds),
    evicted: amountText(evicted),
    rewardPool: amountText(rewardPool),
    nonCirculatingAccounts: [],
  });
}
