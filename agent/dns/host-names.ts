import { isIpv4Address } from '#model/addressing.ts';
import type { Endpoint, EndpointSet, ServiceEndpoints } from '#model/endpoints.ts';

/** Zone that this cluster alone answers for. */
export const ZONE = 'gantry.internal';

/**
 * Builds one hosts file per service: maps its name to text in the format of /etc/hosts. Source:
 * hosts(5)
 * `web.shop.prod.gantry.internal` is the virtual IP, `tasks.web...` the healthy tasks, `db-0.db...`
 * an ordinal of a stateful service, even before it is healthy: members of a cluster look for each
 * other while they start.
 */
export function hostFiles(set: EndpointSet): ReadonlyMap<string, string> {
  return new Map(set.services.map(service => [hostFileName(service), hostLines(service).map(line => `${line}\n`).join('')]));
}

/** Labels have no dots, so the name is unique. */
function hostFileName(service: ServiceEndpoints): string {
  return `${service.namespace}.${service.app}.${service.service}`;
}

function hostLines(service: ServiceEndpoints): string[] {
  const name = `${service.service}.${service.app}.${service.namespace}.${ZONE}`;
  const endpoints = service.endpoints.filter(endpoint => isIpv4Address(endpoint.address));
  const healthy = endpoints.filter(endpoint => endpoint.isHealthy);
  return [
    `${service.virtualIp} ${name}`,
    ...healthy.map(endpoint => `${endpoint.address} tasks.${name}`).sort(),
    ...(service.kind === 'stateful' ? ordinalLines({ ...service, endpoints }, name) : []),
  ];
}

/** During a replacement two tasks have one ordinal: the healthy ones are used, if there are any. */
function ordinalLines(service: ServiceEndpoints, name: string): string[] {
  const bySlot = Map.groupBy(service.endpoints, endpoint => endpoint.slot);
  return [...bySlot].flatMap(([slot, endpoints]) => preferHealthy(endpoints)
    .map(endpoint => `${endpoint.address} ${service.service}-${String(slot)}.${name}`)).sort();
}

function preferHealthy(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const healthy = endpoints.filter(endpoint => endpoint.isHealthy);
  return healthy.length > 0 ? healthy : endpoints;
}
