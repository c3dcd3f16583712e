import type { EndpointSet } from '#model/endpoints.ts';

/** Addresses that `before` sent udp to and `after` does not, sorted. Their flows would stay with them as long as the client sends. */
export function endedUdpTargets(before: EndpointSet, after: EndpointSet): readonly string[] {
  const kept = udpTargets(after);
  return [...udpTargets(before)].filter(address => !kept.has(address)).sort();
}

function udpTargets(set: EndpointSet): Set<string> {
  return new Set(set.services
    .filter(service => service.ports.some(port => port.protocol === 'udp'))
    .flatMap(service => service.endpoints.filter(endpoint => endpoint.isHealthy).map(endpoint => endpoint.address)));
}
