/** Node configuration: defaults, paths, and refusals that name field, finding and fix. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, loadNodeConfig, parseNodeConfig } from '../../src/node/config.ts';

const FILE = '/net/validator-1/config.json';
const PEER = '/ip4/127.0.0.1/tcp/9100/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA';
const validator = { role: 'validator', genesis: '../genesis.json', dataDirectory: 'data', keyFile: 'key.json' };

function refusal(config: unknown): ConfigError {
  try {
    parseNodeConfig(FILE, typeof config === 'string' ? config : JSON.stringify(config));
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error as ConfigError;
  }
  throw new Error('nothing was refused');
}

describe('a good configuration', () => {
  it('gets defaults and absolute paths', () => {
    expect(parseNodeConfig(FILE, JSON.stringify(validator))).toEqual({
      role: 'validator',
      genesis: '/net/genesis.json',
      dataDirectory: '/net/validator-1/data',
      keyFile: '/net/validator-1/key.json',
      listen: '/ip4/127.0.0.1/tcp/0',
      bootstrap: [],
      rpc: { host: '127.0.0.1', port: 0 },
      log: { level: 'info' },
    });
  });

  it('keeps what it says, for each role', () => {
    const full = {
      ...validator,
      role: 'replicator',
      networkKeyFile: '/etc/cairn/net.json',
      listen: '/ip6/::1/tcp/1',
      bootstrap: [PEER],
      rpc: { host: 'localhost', port: 8899 },
      log: { level: 'warn', file: 'node.log' },
      replicator: { capacityBytes: 1024, segments: [0, 3] },
      faults: { corruptByte: true },
    };
    expect(parseNodeConfig(FILE, JSON.stringify(full))).toMatchObject({
      networkKeyFile: '/etc/cairn/net.json',
      bootstrap: [PEER],
      log: { level: 'warn', file: '/net/validator-1/node.log' },
      replicator: { capacityBytes: 1024, segments: [0, 3] },
      faults: { corruptByte: true },
    });
    const archive = { role: 'archive', genesis: 'g', dataDirectory: 'd', archive: {} };
    expect(parseNodeConfig(FILE, JSON.stringify(archive)).keyFile).toBeUndefined();
  });
});

describe('history', () => {
  it('is one word or a few fields', () => {
    const parsed = (history: unknown) => parseNodeConfig(FILE, JSON.stringify({ ...validator, history })).history;
    expect(parsed('pruned')).toEqual({ mode: 'pruned' });
    expect(parsed('archive')).toEqual({ mode: 'archive' });
    const full = { mode: 'pruned', depthBlocks: 600, replicasBeforePruning: 0 };
    expect(parsed(full)).toEqual(full);
  });
});

describe('a bad configuration', () => {
  it.each([
    [{ ...validator, history: 'all' }, 'history.mode must be "pruned" or "archive", found "all"'],
    [{ ...validator, history: { mode: 'pruned', depthBlocks: 0 } }, 'history.depthBlocks must be 1 or more, found 0'],
    [
      { ...validator, history: { mode: 'pruned', replicasBeforePruning: -1 } },
      'history.replicasBeforePruning must be 0 (prune without replicas) or more, found -1',
    ],
    [{ ...validator, history: { mode: 'pruned', depth: 9 } }, 'history.depth: no such field'],
    [{ ...validator, history: { mode: 'archive', depthBlocks: 9 } }, 'history "archive" keeps everything'],
    [{ ...validator, role: 'archive', history: 'pruned' }, 'history "pruned" is for validators'],
    [{ ...validator, role: 'miner' }, 'role must be "validator", "archive" or "replicator", found "miner"'],
    [{ ...validator, genesis: 7 }, 'genesis must be a path, found 7'],
    [{ role: 'validator', genesis: 'g', keyFile: 'k' }, 'dataDirectory must be a path, found nothing'],
    [{ ...validator, rpc: { port: 70000 } }, 'rpc.port must be at most 65535, found 70000'],
    [{ ...validator, rpc: { port: 'x' } }, 'rpc.port must be a whole number, found "x"'],
    [{ ...validator, rpc: { prot: 1 } }, 'rpc.prot: no such field'],
    [{ ...validator, gensis: 'g' }, 'gensis: no such field'],
    [{ ...validator, listen: '127.0.0.1:90' }, 'listen must look like /ip4/127.0.0.1/tcp/9100'],
    [{ ...validator, bootstrap: ['/ip4/1.2.3.4/tcp/5'] }, 'bootstrap.0 must look like'],
    [{ ...validator, bootstrap: new Array(65).fill(PEER) }, 'bootstrap must hold at most 64 addresses'],
    [{ ...validator, log: { level: 'loud' } }, 'log.level must be trace'],
    [{ ...validator, keyFile: undefined }, 'keyFile is needed by a validator; make one with: cairn keygen'],
    [{ ...validator, role: 'replicator' }, 'replicator is needed by a replicator'],
    [{ ...validator, replicator: { capacityBytes: 5 } }, 'replicator makes no sense for a validator'],
    [{ ...validator, faults: { corruptByte: true } }, 'corruptByte is for replicators only'],
    [{ ...validator, role: 'replicator', replicator: { capacityBytes: 0 } }, 'capacityBytes must be more than 0'],
    [[], 'the file'],
  ])('%j', (config, message) => {
    const error = refusal(config);
    expect(error).toMatchObject({ code: 'invalid', file: FILE });
    expect(error.message).toContain(`config ${FILE}: `);
    expect(error.message).toContain(message);
  });

  it('tells all problems at once', () => {
    const { message } = refusal({ ...validator, genesis: '', rpc: { port: -1 } });
    expect(message).toContain('genesis');
    expect(message).toContain('rpc.port');
  });

  it('is told apart from text that is no JSON', () => {
    expect(refusal('{ role: ').code).toBe('not-json');
  });
});

describe('loading', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'cairn-config-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('names a file that is not there, one that is too large, and one for another role', async () => {
    const file = join(folder, 'config.json');
    await expect(loadNodeConfig(file)).rejects.toMatchObject({ code: 'not-found' });
    writeFileSync(file, ' '.repeat(300 * 1024));
    await expect(loadNodeConfig(file)).rejects.toMatchObject({ code: 'unreadable' });
    writeFileSync(file, JSON.stringify(validator));
    await expect(loadNodeConfig(file, 'archive')).rejects.toMatchObject({
      code: 'wrong-role',
      message: expect.stringContaining('cairn validator --config'),
    });
    expect((await loadNodeConfig(file, 'validator')).genesis).toBe(join(folder, '../genesis.json'));
  });
});
