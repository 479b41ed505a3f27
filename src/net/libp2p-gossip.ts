/**
 * Gossipsub, set up for this project, and the translation of its messages into verdicts.
 *
 * Decisions
 * - StrictNoSign: what is gossiped carries its author's own signature (votes), and Noise authenticates each hop; a third signature a
 *   message would only cost time. A message's id is therefore the SHA-256 of topic and content, first 20 bytes.
 * - The validator is the handler: gossipsub calls it once for each new id, before passing the message on.
 * - Gossipsub's own peer scores are left at zero (its IP colocation rule would punish a devnet on one host); faults are ours (faults.ts).
 */
import type { GossipSub, GossipsubOpts, Message, TopicValidatorResult } from '@libp2p/gossipsub';
import type { PeerId } from '@libp2p/interface';
import type { TransportCore } from './core.ts';
import { GOSSIP_SEEN_MS, gossipId } from './gossip-id.ts';
import { GOSSIP_SIZE_BYTES_MAX } from './transport.ts';

/** An RPC of gossipsub may carry several messages; past this it ends the stream. */
const RPC_SIZE_BYTES_MAX: number = 64 * GOSSIP_SIZE_BYTES_MAX;
export function gossipOptions(): Partial<GossipsubOpts> {
  return {
    globalSignaturePolicy: 'StrictNoSign',
    msgIdFn: (message: Message) => gossipId(message.topic, message.data),
    msgIdToStrFn: (id: Uint8Array) => Buffer.from(id).toString('base64'),
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    emitSelf: false,
    fallbackToFloodsub: false,
    // Our own messages go to every subscriber at once, not only to the mesh: one hop in small networks.
    floodPublish: true,
    batchPublish: true,
    heartbeatInterval: 700,
    seenTTL: GOSSIP_SEEN_MS,
    maxInboundDataLength: RPC_SIZE_BYTES_MAX,
    maxOutboundBufferSize: RPC_SIZE_BYTES_MAX,
    maxTopicBytesPerPeer: 64 * 1024,
    scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
  };
}

/** Gossipsub's enum, by value: the package is imported lazily, types only here. */
const RESULT = {
  accept: 'accept' as TopicValidatorResult,
  ignore: 'ignore' as TopicValidatorResult,
  reject: 'reject' as TopicValidatorResult,
};

/** Joins a topic; every new message goes through the core's verdict. */
export function joinTopic(gossip: GossipSub, core: TransportCore, topic: string): void {
  gossip.topicValidators.set(topic, (from: PeerId, message: Message) => {
    return RESULT[core.gossip(topic, from.toString(), message.data)];
  });
  gossip.subscribe(topic);
}
