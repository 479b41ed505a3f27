/** What a chain node is opened with. */
import type { Kernels } from '../../native/index.ts';
import type { SigningKey } from '../codec/index.ts';
import type { Genesis } from '../ledger/index.ts';
import type { Transport } from '../net/transport.ts';
import type { ByzantineKind } from './config.ts';
import type { HistoryKeeping } from './history/history-keeping.ts';
import type { Logger } from './log.ts';
import type { Platform } from './platform.ts';

export interface ChainNodeOptions {
  readonly role: 'validator' | 'archive';
  readonly version: string;
  readonly genesis: Genesis;
  /** The validator's key; null for an archive. */
  readonly key: SigningKey | null;
  readonly dataDirectory: string;
  /** Everything is kept unless given. */
  readonly history?: HistoryKeeping;
  readonly bootstrap: readonly string[];
  readonly kernels: Kernels;
  readonly transport: Transport;
  readonly log: Logger;
  /** The machine unless given. */
  readonly platform?: Platform;
  /** Makes a liar of this validator: for demonstrations and tests. */
  readonly byzantine?: ByzantineKind | undefined;
  /** The node broke an invariant or its disk failed: it has stopped acting and should be ended. */
  readonly onFatal: (error: Error) => void;
  readonly rpcUrl: () => string | null;
}
