/**
 * What a user does at the command line, against running nodes: keys, transfers, timestamps, verification. All at the same time: each test has files of its
 * own, and waits for finality and for a process a command.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeBase58 } from '../../src/codec/index.ts';
import { allFinal, Cluster, FEE } from './cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ validators: 2, archives: 1 });
}, 60_000);
afterAll(async () => {
  await cluster?.close();
  expect(cluster?.unexpectedExits ?? []).toEqual([]);
}, 30_000);

const rpcOf = (index: number): string => cluster.ready(cluster.folders.validators[index]!).rpc;

/** One line for a person: no stack. */
function expectOneLine(errors: string, pattern: RegExp): void {
  expect(errors).toMatch(pattern);
  expect(errors).not.toMatch(/\n\s+at |node:internal/);
  expect(errors.split('\n')).toHaveLength(1);
}

describe.concurrent('cairn keygen', () => {
  it('writes a file only its owner can read, and never over another', async () => {
    const file = cluster.path('mine.json');
    const made = await cluster.cairnJson('keygen', '--out', file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await cluster.cairnJson('address', file)).address).toBe(made.address);
    const before = readFileSync(file);
    const again = await cluster.cairn('keygen', '--out', file);
    expect(again.code).toBe(2);
    expectOneLine(again.errors, /mine\.json: is there already and is never overwritten/);
    expect(readFileSync(file)).toEqual(before);
  });
});

describe.concurrent('cairn transfer', () => {
  it('waits for finality, says where and when, and cairn balance shows it', async () => {
    const { address } = await cluster.cairnJson('keygen', '--out', cluster.path('payee.json'));
    const to = String(address);
    const paid = await cluster.cairnJson(
      'transfer',
      '--key',
      cluster.wallet.file,
      '--to',
      to,
      '--amount',
      '12345',
      '--rpc',
      rpcOf(1),
    );
    expect(paid).toMatchObject({ to, amount: '12345', fee: FEE.toString() });
    const place = await cluster.client(cluster.folders.validators[1]!).transaction(String(paid.id));
    expect(place).toMatchObject({
      height: paid.height,
      slot: paid.slot,
      pohCount: paid.pohCount,
      blockHash: paid.blockHash,
    });
    await allFinal(cluster, cluster.chainNodes, Number(paid.height));
    for (const node of cluster.chainNodes) {
      const { balance } = await cluster.cairnJson('balance', to, '--rpc', cluster.ready(node).rpc);
      expect(balance).toBe('12345');
    }
    // What came in can be spent, and for people there are lines.
    const back = await cluster.cairn(
      'transfer',
      '--key',
      cluster.path('payee.json'),
      '--to',
      to,
      '--amount',
      '1',
      '--rpc',
      rpcOf(0),
    );
    expect(back.code).toBe(0);
    expect(back.output).toMatch(/^final at height \d+, slot \d+, before PoH count \d+\ntransaction \w+\n$/);
  });

  it('says why it did not', async () => {
    const { address } = await cluster.cairnJson('keygen', '--out', cluster.path('poor.json'));
    const args = ['transfer', '--key', cluster.path('poor.json'), '--to', String(address), '--amount', '5'];
    const poor = await cluster.cairn(...args, '--rpc', rpcOf(0));
    expect(poor.code).toBe(1);
    expectOneLine(poor.errors, /refused \(insufficient-funds\)/);
    const unreachable = await cluster.cairn(...args, '--rpc', 'http://127.0.0.1:9');
    expect(unreachable.code).toBe(1);
    expectOneLine(unreachable.errors, /cannot reach http:\/\/127\.0\.0\.1:9/);
    const misspelt = await cluster.cairn(...args.slice(0, -1), '5.5', '--rpc', rpcOf(0));
    expect(misspelt.code).toBe(2);
    expect(misspelt.errors).toMatch(/--amount <units>.*'5\.5' is invalid/);
    writeFileSync(cluster.path('open.json'), readFileSync(cluster.wallet.file), { mode: 0o644 });
    const open = await cluster.cairn(
      'transfer',
      '--key',
      cluster.path('open.json'),
      '--to',
      String(address),
      '--amount',
      '1',
    );
    expect(open.code).toBe(2);
    expectOneLine(open.errors, /others may know the key; run: chmod 600/);
  });
});

describe.concurrent('cairn prove account', () => {
  it('makes a proof of a balance that holds offline against its block, and for nothing else', async () => {
    const { address } = await cluster.cairnJson('address', cluster.wallet.file);
    const [file, node] = [cluster.path('wallet.cairn-account'), cluster.folders.validators[1]!];
    const made = await cluster.cairnJson('prove', 'account', String(address), '--out', file, '--rpc', rpcOf(1));
    const trust = `${made.height}:${made.hash}`;
    const verify = (of: string, trusted: string) =>
      cluster.cairn('verify', 'account', of, '--trust', trusted, '--json');
    // The node's word for the block is checked against another node's.
    await allFinal(cluster, cluster.chainNodes, Number(made.height));
    const block = await cluster.client(cluster.folders.validators[0]!).block({ height: Number(made.height) });
    expect(block.blockhash).toBe(made.hash);

    const good = await verify(file, trust);
    expect(good.code).toBe(0);
    const proven = JSON.parse(good.output);
    expect(proven).toMatchObject({ valid: true, address, height: made.height });
    expect(proven.balance).toMatch(/^[1-9]\d*$/);

    const bytes = readFileSync(file);
    const tampered = cluster.path('tampered.cairn-account');
    for (const at of [20, 60, bytes.length - 5]) {
      writeFileSync(
        tampered,
        bytes.map((byte, index) => (index === at ? byte ^ 1 : byte)),
      );
      const bad = await verify(tampered, trust);
      expect(bad.code).toBe(1);
      expectOneLine(bad.errors, /invalid: /);
    }
    const other = await verify(file, `${Number(made.height) + 1}:${made.hash}`);
    expect(other.code).toBe(1);
    expectOneLine(other.errors, /invalid: it is of the state after block \d+, not of the trusted one/);

    const { address: stranger } = await cluster.cairnJson('keygen', '--out', cluster.path('stranger.json'));
    const none = await cluster.cairn('prove', 'account', String(stranger), '--rpc', cluster.ready(node).rpc);
    expect(none.code).toBe(1);
    expectOneLine(none.errors, /there is no account cairn1/);
  });
});

describe.concurrent('cairn timestamp', () => {
  it('makes a proof that holds offline, and for nothing else', async () => {
    const file = cluster.path('thesis.txt');
    const proof = cluster.path('thesis.proof');
    writeFileSync(file, 'what I knew then');
    const made = await cluster.cairnJson(
      'timestamp',
      file,
      '--key',
      cluster.wallet.file,
      '--out',
      proof,
      '--rpc',
      rpcOf(0),
    );
    const trust = String(made.blockHash);
    const verify = (of: string, by: string, hash: string) =>
      cluster.cairn('verify', 'timestamp', of, by, '--trust', hash, '--json');

    const good = await verify(file, proof, trust);
    expect(good.code).toBe(0);
    expect(JSON.parse(good.output)).toMatchObject({ valid: true, pohCount: made.pohCount, height: made.height });

    const otherFile = cluster.path('other.txt');
    writeFileSync(otherFile, 'what I know now');
    const forOther = await verify(otherFile, proof, trust);
    expect(forOther.code).toBe(1);
    expectOneLine(forOther.errors, /invalid: the proof is for another file/);

    const bytes = readFileSync(proof);
    const tampered = cluster.path('tampered.proof');
    // The last byte belongs to the transaction's or the path's content: no length field.
    writeFileSync(
      tampered,
      bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte)),
    );
    const bent = await verify(file, tampered, trust);
    expect(bent.code).toBe(1);
    expectOneLine(bent.errors, /invalid: /);

    const elsewhere = await verify(file, proof, encodeBase58(new Uint8Array(32).fill(1)));
    expect(elsewhere.code).toBe(1);
    expectOneLine(elsewhere.errors, /another block than the trusted one/);

    const garbage = cluster.path('garbage.proof');
    writeFileSync(garbage, 'not a proof at all');
    for (const by of [garbage, cluster.path('absent.proof')]) {
      const refused = await verify(file, by, trust);
      expect(refused.code).toBe(2);
      expectOneLine(refused.errors, /is not a timestamp proof|cannot read/);
    }
    const again = await cluster.cairn(
      'timestamp',
      file,
      '--key',
      cluster.wallet.file,
      '--out',
      proof,
      '--rpc',
      rpcOf(0),
    );
    expect(again.code).toBe(2);
    expectOneLine(again.errors, /never overwritten/);
  });
});

describe.concurrent('cairn verify poh', () => {
  it('recomputes every hash of what a node serves', async () => {
    const height = 12;
    await allFinal(cluster, cluster.chainNodes, height);
    const client = cluster.client(cluster.folders.archive);
    const { pohCount } = await client.block({ height });
    const common = ['verify', 'poh', '--genesis', cluster.genesisFile, '--rpc', client.url];
    const all = await cluster.cairnJson(...common, '--count', String(height));
    // Every step of the sequence from count 0 to the last block's end.
    expect(all).toMatchObject({ valid: true, first: 1, last: height, blocks: height, hashes: pohCount });
    const from = await client.block({ height: height - 2 });
    const some = await cluster.cairnJson(...common, '--after', `${height - 2}:${from.blockhash}`, '--count', '2');
    expect(some).toMatchObject({ valid: true, first: height - 1, last: height, hashes: pohCount - from.pohCount });
    const wrong = await cluster.cairn(...common, '--after', `${height - 1}:${from.blockhash}`, '--count', '1');
    expect(wrong.code).toBe(1);
    expectOneLine(wrong.errors, /not the trusted/);
  });
});
