/** What `port-forward` joins, in kubectl's grammar. */
import { isIP } from 'node:net';
import { quoted } from '#model/printable.ts';
import { readCount, UsageError } from './options.ts';

export interface ForwardedPort {
  /** 0: whichever is free. */
  readonly local: number;
  readonly remote: number;
}

const MAX_PORT = 65_535;

/** `8080:80`, `80` for the same port on both sides, `:80` and `0:80` for a free local one. @throws UsageError, or ClusterError INVALID_ARGUMENT for what is no port */
export function parseForwardedPort(text: string): ForwardedPort {
  const [first = '', second, ...rest] = text.split(':');
  if (rest.length > 0) {
    throw new UsageError(`port ${quoted(text)} is not [LOCAL:]REMOTE, such as 8080:80, 80 or :80`);
  }
  const remote = readCount(`the port in ${quoted(text)}`, second ?? first, 1, MAX_PORT);
  return { remote, local: second === undefined ? remote : first === '' ? 0 : readCount(`the local port in ${quoted(text)}`, first, 0, MAX_PORT) };
}

/** IP addresses separated by commas, or `localhost`. @throws UsageError */
export function parseListenAddresses(text: string): readonly string[] {
  return text.split(',').map(word => {
    const address = word === 'localhost' ? '127.0.0.1' : word;
    if (isIP(address) === 0) {
      throw new UsageError(`--address ${quoted(word)} is no IP address; write localhost, or addresses separated by commas`);
    }
    return address;
  });
}

/** `127.0.0.1:80`, `[::1]:80`. */
export function formatEndpoint(address: string, port: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${String(port)}`;
}
