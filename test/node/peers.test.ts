/** Who may claim which ledger key: a validator's transactions must not be drawn away by a claim. */
import { beforeEach, describe, expect, it } from 'vitest';
import { loadKernels } from '../../native/index.ts';
import { type SigningKey, signingKey } from '../../src/codec/index.ts';
import type { MemoryTransport } from '../../src/net/memory-transport.ts';
import type { Clock } from '../../src/node/clock.ts';
import { createLogger } from '../../src/node/log.ts';
import { PROTOCOL, peerKeyMessage, type StatusMessage } from '../../src/node/protocols.ts';
import { Peers } from '../../src/node/relay/peers.ts';
import { VirtualNet } from './virtual-net.ts';

const CHAIN_ID = new Uint8Array(32).fill(7);
const kernels = loadKernels();
const validator = signingKey(new Uint8Array(32).fill(1));
let net: VirtualNet;

function statusOf(key: SigningKey | null, keyProof: Uint8Array | null): StatusMessage {
  const publicKey = key?.publicKey ?? null;
  const heights = { startHeight: 1, finalizedHeight: 0, bestHeight: 0 };
  return { chainId: CHAIN_ID, role: 'validator', ...heights, publicKey, keyProof, rpc: null, version: '1' };
}

function peersOf(
  transport: MemoryTransport,
  bootstrap: string[],
  status: StatusMessage,
  clock?: Clock,
  slotDurationMs = 500,
): Peers {
  const isSigned = (publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean => {
    const verdict = new Uint8Array(1);
    kernels.ed25519Verify(publicKey, signature, message, Uint32Array.of(0, message.length), verdict);
    return verdict[0] === 1;
  };
  const log = createLogger({ level: 'silent' });
  return new Peers({
    transport,
    log,
    chainId: CHAIN_ID,
    slotDurationMs,
    ...(clock === undefined ? {} : { clock }),
    bootstrap,
    status: () => status,
    isSigned,
    onStatus: () => {},
  });
}

/** What a node believes of a peer that introduces itself with this status. */
async function introduced(statusFor: (name: string) => StatusMessage): Promise<string | null> {
  const node = await net.peer('node');
  const other = await net.peer('other');
  const believing = peersOf(node, [], statusOf(null, null));
  const claiming = peersOf(other, [...node.addresses()], statusFor(other.self));
  await net.settle(claiming.start());
  await net.settle(new Promise((resolve) => setTimeout(resolve, 20)));
  claiming.stop();
  believing.stop();
  return believing.withKey(validator.publicKey);
}

describe('a peer that claims a ledger key', () => {
  beforeEach(() => {
    net = new VirtualNet();
  });

  it('is believed with a signature over its own name', async () => {
    const status = (name: string): StatusMessage => statusOf(validator, validator.sign(peerKeyMessage(CHAIN_ID, name)));
    expect(await introduced(status)).toBe('other');
  });

  it("is not believed without one, with another key's, or with one made for another peer or chain", async () => {
    const thief = signingKey(new Uint8Array(32).fill(2));
    const proofs: ((name: string) => Uint8Array | null)[] = [
      () => null,
      () => new Uint8Array(64),
      (name) => thief.sign(peerKeyMessage(CHAIN_ID, name)),
      () => validator.sign(peerKeyMessage(CHAIN_ID, 'somebody else')),
      (name) => validator.sign(peerKeyMessage(new Uint8Array(32), name)),
    ];
    for (const proof of proofs) {
      net = new VirtualNet();
      expect(await introduced((name) => statusOf(validator, proof(name)))).toBeNull();
    }
  });
});

describe('two connected peers', () => {
  /** Questions for a status within 80 s of virtual time, of both together. */
  async function questionsWithin80Seconds(slotDurationMs: number): Promise<number> {
    net = new VirtualNet(Number.POSITIVE_INFINITY);
    const clock: Clock = {
      nowMs: () => net.nowMs,
      at: (ms, callback) => net.network.timers.after(Math.max(0, ms - net.nowMs), callback),
    };
    let questions = 0;
    const [one, other] = [await net.peer('one'), await net.peer('other')];
    for (const transport of [one, other]) {
      const { request } = transport;
      transport.request = (peer, protocol, ...rest) => {
        if (protocol === PROTOCOL.status) questions += 1;
        return request.call(transport, peer, protocol, ...rest);
      };
    }
    const first = peersOf(one, [], statusOf(null, null), clock, slotDurationMs);
    const second = peersOf(other, [...one.addresses()], statusOf(null, null), clock, slotDurationMs);
    await net.settle(first.start());
    // Not at the same moment as the first.
    await net.settle(new Promise<void>((resolve) => void net.network.timers.after(300, resolve)));
    await net.settle(second.start());
    await net.settle(new Promise<void>((resolve) => void net.network.timers.after(80_000, resolve)));
    first.stop();
    second.stop();
    expect([first.statuses.has('other'), second.statuses.has('one')]).toEqual([true, true]);
    return questions;
  }

  it('ask for a status every two seconds, or once a slot where that is longer: one of them, not both', async () => {
    const often = await questionsWithin80Seconds(500);
    expect(often).toBeGreaterThanOrEqual(38);
    expect(often).toBeLessThanOrEqual(44);
    const seldom = await questionsWithin80Seconds(8_000);
    expect(seldom).toBeGreaterThanOrEqual(9);
    expect(seldom).toBeLessThanOrEqual(13);
  });
});
