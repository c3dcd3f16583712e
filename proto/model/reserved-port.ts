import { parsePortRange } from './port-range.ts';
import type { PortRange } from './port-range.ts';
import type { PublishedPort } from './service.ts';

/** Ports that services cannot publish: the machines need them. Without a protocol, of both. */
export interface ReservedPorts extends PortRange {
  readonly protocol?: 'tcp' | 'udp';
}

/** `22`, `7400-7403/tcp` or `4789/udp`; undefined for other text. */
export function parseReservedPorts(text: string): ReservedPorts | undefined {
  const [, ports = '', protocol] = /^([\d-]+)(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const range = parsePortRange(ports);
  return range === undefined ? undefined : { ...range, ...(protocol === undefined ? {} : { protocol: protocol as 'tcp' | 'udp' }) };
}

export function isReservedPort({ published, protocol }: Pick<PublishedPort, 'published' | 'protocol'>, reserved: readonly ReservedPorts[]): boolean {
  return published !== undefined && reserved.some(one => one.first <= published && published <= one.last && (one.protocol ?? protocol) === protocol);
}
