import { createServer } from 'node:net';
import { claim } from './claim.ts';

const FIRST_PORT = 20_000;
const PORT_COUNT = 12_000;
const MAX_TRIES = 100;

/**
 * A free TCP port of 127.0.0.1 below 32768, where the kernel does not pick ports for clients; no other call on this machine gives it as long as this
 * process lives. Source: ip(7), ip_local_port_range.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORT_COUNT);
    if (await claim(`port-${String(port)}`) && await isFree(port)) {
      return port;
    }
  }
  throw new Error(`no free port in ${String(MAX_TRIES)} tries between ${String(FIRST_PORT)} and ${String(FIRST_PORT + PORT_COUNT)}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise<boolean>(resolve => {
    server.once('error', () => { resolve(false); });
    server.listen(port, '127.0.0.1', () => { server.close(() => { resolve(true); }); });
  });
}
