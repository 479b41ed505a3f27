/**
 * Methods about accounts.
 */
import { z } from 'zod';
import { type MethodTable, method } from '../method.ts';
import type { NodeApi } from '../node-api.ts';
import { addressParameter, commitmentConfig, evictionParameter } from '../parameters.ts';
import { QUERY_ITEMS_MAX } from '../views/accounts.ts';
import { amountText, toWire, withContext } from '../wire.ts';

export function accountMethods(api: NodeApi): MethodTable {
  return {
    getBalance: method({ address: addressParameter, config: commitmentConfig }, async ({ address, config }) => {
      const { slot, balances } = await api.balances([address], config.commitment);
      return withContext(slot, amountText(balances[0] ?? 0n));
    }),
    // As in Solana, an account with nothing in it does not exist: null.
    getMultipleAccounts: method(
      { addresses: z.array(addressParameter).max(QUERY_ITEMS_MAX), config: commitmentConfig },
      async ({ addresses, config }) => {
        const { slot, balances } = await api.balances(addresses, config.commitment);
        const value = balances.map((balance) => (balance === 0n ? null : { balance: amountText(balance) }));
        return withContext(slot, value);
      },
    ),
    cairn_getAccountProof: method({ address: addressParameter }, async ({ address }) => {
      const { block, bytes } = await api.accountProof(address);
      return withContext(block.slot, { ...toWire(block), proof: Buffer.from(bytes).toString('base64') });
    }),
    cairn_getEvictions: method(
      { address: addressParameter, fromIndex: evictionParameter },
      async ({ address, fromIndex }) => toWire(await api.evictions(address, fromIndex)),
    ),
  };
}
