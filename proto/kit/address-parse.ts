import { ClusterError } from '#model/errors.ts';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** The parts of `host:port`; an IPv6 host stands in brackets and comes out without. @throws ClusterError INVALID_ARGUMENT */
export function splitAddress(address: string): HostAndPort {
  const [, inBrackets, plain, digits = ''] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):([0-9]{1,5})$/.exec(address) ?? [];
  const host = inBrackets ?? plain;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new ClusterError('INVALID_ARGUMENT', `address ${JSON.stringify(address.slice(0, 80))} is not HOST:PORT`);
  }
  return { host, port };
}
