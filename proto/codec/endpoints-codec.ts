import type * as wire from '#gen/gantry/v1/agent.ts';
import type { EndpointChange } from '#model/endpoint-change.ts';
import type { EndpointSet, PeerNode, ServiceEndpoints } from '#model/endpoints.ts';
import { parseNodeId, parseServiceId, parseTaskId, serviceId } from '#model/ids.ts';
import { publishedPortCodec } from './container-codec.ts';
import { serviceKindCodec } from './service-codec.ts';
import type { Codec } from './wire.ts';
import { required } from './wire.ts';

export const endpointSetCodec: Codec<EndpointSet, wire.EndpointSet> = {
  toWire: set => ({ ...set, services: set.services.map(serviceToWire) }),
  fromWire: set => ({
    generation: set.generation,
    services: set.services.map(serviceFromWire),
    nodes: set.nodes.map(nodeFromWire),
  }),
};

export const endpointChangeCodec: Codec<EndpointChange, wire.EndpointChange> = {
  toWire: change => ({
    ...change, services: change.services.map(({ service, removedTasks }) => ({ service: serviceToWire(service), removedTasks })),
  }),
  fromWire: change => ({
    from: change.from,
    generation: change.generation,
    services: change.services.map(({ service, removedTasks }) => ({
      service: serviceFromWire(required(service, 'endpoint-change.service')), removedTasks: removedTasks.map(parseTaskId),
    })),
    removedServices: change.removedServices.map(parseServiceId),
    nodes: change.nodes.map(nodeFromWire),
    removedNodes: change.removedNodes.map(parseNodeId),
  }),
};

function nodeFromWire(node: wire.PeerNode): PeerNode {
  return { ...node, id: parseNodeId(node.id) };
}

function serviceToWire(service: ServiceEndpoints): wire.ServiceEndpoints {
  return { ...service, kind: serviceKindCodec.toWire(service.kind), ports: service.ports.map(publishedPortCodec.toWire) };
}

function serviceFromWire(service: wire.ServiceEndpoints): ServiceEndpoints {
  return {
    ...service,
    id: parseServiceId(serviceId(service.namespace, service.app, service.service)),
    kind: serviceKindCodec.fromWire(service.kind),
    ports: service.ports.map(publishedPortCodec.fromWire),
    endpoints: service.endpoints.map(endpoint => ({
      ...endpoint, task: parseTaskId(endpoint.task), node: parseNodeId(endpoint.node),
    })),
  };
}
