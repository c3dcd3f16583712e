/** From one endpoint set to a newer one: what those that have the first need to have the second. */
import type { Endpoint, EndpointSet, PeerNode, ServiceEndpoints } from './endpoints.ts';
import type { NodeId, ServiceId, TaskId } from './ids.ts';
import { isSameJson } from './same-json.ts';

/** `service` as it is now, but for its endpoints: of those only what is new or not as it was. */
export interface ServiceEndpointsChange {
  readonly service: ServiceEndpoints;
  readonly removedTasks: readonly TaskId[];
}

/** `from` and `generation` are generations of sets; lists are sorted by id. */
export interface EndpointChange {
  readonly from: number;
  readonly generation: number;
  readonly services: readonly ServiceEndpointsChange[];
  readonly removedServices: readonly ServiceId[];
  readonly nodes: readonly PeerNode[];
  readonly removedNodes: readonly NodeId[];
}

/** What leads from `before` to `after`; undefined when both say the same, whatever their generations. Parts that are the same object are not looked into. */
export function endpointChange(before: EndpointSet, after: EndpointSet): EndpointChange | undefined {
  const services = listChange(before.services, after.services, idOf);
  const nodes = listChange(before.nodes, after.nodes, idOf);
  if ([services, nodes].every(({ upserts, removals }) => upserts.length === 0 && removals.length === 0)) {
    return undefined;
  }
  const known = new Map(services.upserts.length === 0 ? [] : before.services.map(service => [service.id, service]));
  return {
    from: before.generation,
    generation: after.generation,
    services: services.upserts.map(service => serviceChange(known.get(service.id), service)),
    removedServices: services.removals,
    nodes: nodes.upserts,
    removedNodes: nodes.removals,
  };
}

/** The set that `change` leads to from `before`; undefined when it does not follow it: something between was missed, or it came before. */
export function foldEndpoints(before: EndpointSet, change: EndpointChange): EndpointSet | undefined {
  if (change.from !== before.generation) {
    return undefined;
  }
  const known = new Map(change.services.length === 0 ? [] : before.services.map(service => [service.id, service]));
  const services = change.services.map(({ service, removedTasks }) => ({
    ...service, endpoints: changedList(known.get(service.id)?.endpoints ?? [], taskOf, service.endpoints, removedTasks),
  }));
  return {
    generation: change.generation,
    services: changedList(before.services, idOf, services, change.removedServices),
    nodes: changedList(before.nodes, idOf, change.nodes, change.removedNodes),
  };
}

function serviceChange(before: ServiceEndpoints | undefined, after: ServiceEndpoints): ServiceEndpointsChange {
  const { upserts, removals } = listChange(before?.endpoints ?? [], after.endpoints, taskOf);
  return { service: { ...after, endpoints: upserts }, removedTasks: removals };
}

/** Items of `after` that `before` does not have as they are, and keys of `before` that are gone. */
function listChange<Key extends string, Item>(
  before: readonly Item[], after: readonly Item[], keyOf: (item: Item) => Key,
): { readonly upserts: readonly Item[]; readonly removals: readonly Key[] } {
  if (before === after) {
    return { upserts: [], removals: [] };
  }
  const gone = new Map(before.map(item => [keyOf(item), item]));
  const upserts = after.filter(item => {
    const known = gone.get(keyOf(item));
    gone.delete(keyOf(item));
    return known === undefined || !isSameJson(known, item);
  });
  return { upserts, removals: [...gone.keys()] };
}

function changedList<Key extends string, Item>(before: readonly Item[], keyOf: (item: Item) => Key, upserts: readonly Item[], removals: readonly Key[]): readonly Item[] {
  if (upserts.length === 0 && removals.length === 0) {
    return before;
  }
  const items = new Map(before.map(item => [keyOf(item), item]));
  removals.forEach(key => items.delete(key));
  upserts.forEach(item => items.set(keyOf(item), item));
  return [...items.values()].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}

function idOf<Key extends string>({ id }: { readonly id: Key }): Key {
  return id;
}

function taskOf({ task }: Endpoint): TaskId {
  return task;
}
