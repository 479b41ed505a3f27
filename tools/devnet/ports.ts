/**
 * Free TCP ports for peers. They must be known before the processes start (each node's configuration names all others), and stay the same
 * when a node is restarted.
 *
 * Taken below the range from which the kernel gives ports to outgoing connections, so that none of the devnet's own connections can sit on a port
 * chosen here before its node listens on it.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

/** Port 10080 is one that `fetch` refuses to call (WHATWG Fetch, port blocking); none above it is. */
const LOWEST = 10_081;
const HIGHEST = 32_000;

/** `count` different ports on which nobody listens on loopback now. */
export async function freePorts(count: number): Promise<number[]> {
  const ceiling = Math.max(LOWEST + 1000, Math.min(HIGHEST, await ephemeralStart()));
  const ports: number[] = [];
  let port = LOWEST + Math.floor(Math.random() * (ceiling - LOWEST));
  for (let tries = 0; ports.length < count && tries < ceiling - LOWEST; tries += 1) {
    if (await isFree(port)) ports.push(port);
    port = port + 1 < ceiling ? port + 1 : LOWEST;
  }
  if (ports.length < count)
    throw new RangeError(`found only ${ports.length} free ports between ${LOWEST} and ${ceiling}`);
  return ports;
}

async function ephemeralStart(): Promise<number> {
  const text = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '');
  return Number.parseInt(text, 10) || HIGHEST;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
