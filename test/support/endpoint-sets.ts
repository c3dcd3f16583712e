/** Endpoint sets with defaults: a test names only what it is about. */
import type { Endpoint, EndpointSet, PeerNode, ServiceEndpoints } from '#model/endpoints.ts';
import { parseNodeId, serviceId } from '#model/ids.ts';
import type { TaskId } from '#model/ids.ts';
import type { PublishedPort } from '#model/service.ts';

export function port(target: number, rest: Partial<PublishedPort> = {}): PublishedPort {
  return { target, protocol: 'tcp', mode: 'ingress', allowFrom: [], ...rest };
}

/** `NODE/ADDRESS`, with `!` in front when it is not healthy. */
export function endpoint(text: string, slot = 0): Endpoint {
  const isHealthy = !text.startsWith('!');
  const [node = '', address = ''] = text.replace('!', '').split('/');
  return { task: `task${address.replaceAll('.', '')}` as TaskId, node: parseNodeId(node), address, slot, isHealthy };
}

export function endpointService(name: string, virtualIp: string, ports: readonly PublishedPort[], endpoints: readonly string[], rest: Partial<ServiceEndpoints> = {}): ServiceEndpoints {
  const [namespace, app] = [rest.namespace ?? 'prod', rest.app ?? 'shop'];
  return {
    id: serviceId(namespace, app, name), namespace, app, service: name, kind: 'service', virtualIp, ports,
    endpoints: endpoints.map((text, index) => endpoint(text, index)), ...rest,
  };
}

export function endpointSet(services: readonly ServiceEndpoints[], nodes: readonly PeerNode[] = [], generation = 1): EndpointSet {
  return { generation, services, nodes };
}
