/**
 * Finds flows to endpoints that no longer exist. NAT rules see only the first packet of a flow; the
 * following packets would keep its target.
 */
import { isTaskAddress } from '#model/addressing.ts';
import type { EndpointSet, ServiceEndpoints } from '#model/endpoints.ts';
import type { NodeId } from '#model/ids.ts';

/** Returns the addresses that `before` sent UDP to and `after` does not, sorted. */
export function endedUdpTargets(before: EndpointSet, after: EndpointSet): readonly string[] {
  const hasUdp = (service: ServiceEndpoints): boolean => service.ports.some(port => port.protocol === 'udp');
  return endedTargets(targets(before.services.filter(hasUdp)), targets(after.services.filter(hasUdp)));
}

/**
 * Returns the addresses of other nodes that `after` knows but sends nothing to, while `before` did;
 * sorted. Their node is silent, so a client with a connection there waits in vain. Without
 * `before`, all such addresses.
 */
export function unheardTargets(before: EndpointSet | undefined, after: EndpointSet, node: NodeId): readonly string[] {
  const unheard = after.services.flatMap(service => service.endpoints.filter(one => !one.isHealthy && one.node !== node).map(one => one.address));
  if (unheard.length === 0) {
    return [];
  }
  const known = before === undefined ? new Set(unheard) : targets(before.services);
  return endedTargets(new Set(unheard.filter(address => known.has(address))), targets(after.services));
}

/** Returns true if `before` sent to an address that `after` does not have. */
export function hasEndedTargets(before: EndpointSet, after: EndpointSet): boolean {
  return endedTargets(targets(before.services), targets(after.services)).length > 0;
}

/**
 * Returns the targets of unanswered connections that `set` no longer sends to, sorted. `listing` is
 * the output of `conntrack -L --state SYN_SENT`. Each entry would redirect the next connection from
 * its port for 120 s.
 * Source: conntrack(8): the first `src` and `dst` are those of the first packet, the second those
 * of the reply; nf_conntrack-sysctl.rst, nf_conntrack_tcp_timeout_syn_sent
 */
export function endedUnansweredTargets(listing: string, set: EndpointSet): readonly string[] {
  const kept = targets(set.services);
  const sentTo = listing.split('\n').flatMap(line => {
    const [asked, answers] = [/ dst=(\S+) /.exec(line)?.[1], / src=.* src=(\S+) /.exec(line)?.[1]];
    return answers === undefined || answers === asked || !isTaskAddress(answers) ? [] : [answers];
  });
  return endedTargets(new Set(sentTo), kept);
}

function endedTargets(before: ReadonlySet<string>, after: ReadonlySet<string>): readonly string[] {
  return [...before].filter(address => !after.has(address)).sort();
}

function targets(services: readonly ServiceEndpoints[]): ReadonlySet<string> {
  return new Set(services.flatMap(service => service.endpoints.filter(endpoint => endpoint.isHealthy).map(endpoint => endpoint.address)));
}
