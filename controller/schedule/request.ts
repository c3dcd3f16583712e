/** What the scheduler knows of a service before it places its tasks. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { neededCapabilities } from '#model/capability.ts';
import { requestsOf } from '#model/companion.ts';
import type { NodeId, ServiceId } from '#model/ids.ts';
import { nodeOfTask } from '#model/node-of-task.ts';
import type { Task } from '#model/task.ts';
import { targetOf } from './claims.ts';
import type { Neighbour, ServiceRequest } from './filters.ts';
import { digestsOf } from './image-rows.ts';
import { LabelCounts } from './label-counts.ts';
import { hostPortsOf, isEnded } from './node-load.ts';
import type { NodeTable } from './node-table.ts';
import { policyOf, spreadLabels } from './scores.ts';
import { leavingVolumes, volumeHomes } from './volume-homes.ts';

/** Rows of nodes that the call placed tasks of services on; each as often as it has such tasks. */
export type PlacedRows = ReadonlyMap<ServiceId, readonly number[]>;

const NOTHING_PLACED: PlacedRows = new Map();

export function requestFor(snapshot: ClusterSnapshot, table: NodeTable, service: Service, placedRows: PlacedRows = NOTHING_PLACED): ServiceRequest {
  const { placement, container } = service.spec;
  const digests = digestsOf(service.spec);
  const tasks = tasksOf(snapshot, service.id);
  const present = tasks.filter(task => isPresent(snapshot, task));
  const rowsOf = (some: readonly Task[]): readonly number[] => some.flatMap(task => table.rowOf(task.node) ?? []);
  const current = present.filter(task => task.desired === 'run' && task.templateHash === service.templateHash);
  return {
    service, requests: requestsOf(service.spec), isPacking: policyOf(placement) === 'binpack',
    hostPorts: container.ports.length === 0 ? [] : hostPortsOf(container),
    capabilities: neededCapabilities(service.spec),
    homes: volumeHomes(snapshot, service), leaving: leavingVolumes(snapshot, service),
    previous: previousNodes(snapshot, tasks),
    placed: new LabelCounts(table, placement.maxPer.map(limit => limit.label), rowsOf(present)),
    current: new LabelCounts(table, spreadLabels(placement), rowsOf(current)),
    neighbours: neighboursOf(snapshot, table, service, placedRows),
    missingImages: table.images.missing(digests, table.size), imageCount: digests.length,
  };
}

function tasksOf(snapshot: ClusterSnapshot, id: ServiceId): readonly Task[] {
  const ids = snapshot.tasksOfService.get(id);
  return ids === undefined ? [] : [...ids].flatMap(task => snapshot.tasks.get(task)?.value ?? []);
}

/** Those it names, and those that avoid it. */
function neighboursOf(snapshot: ClusterSnapshot, table: NodeTable, service: Service, placedRows: PlacedRows): readonly Neighbour[] {
  const { affinity, avoid } = service.spec.placement;
  const neighbour = (kind: Neighbour['kind'], id: ServiceId, label: string, weight?: number): Neighbour => ({
    kind, service: id, label, counts: new LabelCounts(table, [label], neighbourRows(snapshot, table, id, placedRows)), ...(weight === undefined ? {} : { weight }),
  });
  return [
    ...affinity.map(one => neighbour('near', targetOf(service, one.service), one.label, one.weight)),
    ...avoid.map(one => neighbour('avoid', targetOf(service, one.service), one.label, one.weight)),
    ...table.claims.flatMap(claim => (claim.kind === 'avoid' && claim.against === service.id ? [neighbour('avoid', claim.by, claim.label)] : [])),
  ];
}

function neighbourRows(snapshot: ClusterSnapshot, table: NodeTable, id: ServiceId, placedRows: PlacedRows): readonly number[] {
  const present = tasksOf(snapshot, id).filter(task => isPresent(snapshot, task));
  return [...present.flatMap(task => table.rowOf(task.node) ?? []), ...placedRows.get(id) ?? []];
}

/** It may run on a node that is there. */
function isPresent(snapshot: ClusterSnapshot, task: Task): boolean {
  const node = nodeOfTask(snapshot, task);
  return node !== undefined && node.condition !== 'lost' && !isEnded(snapshot, task);
}

const NO_PREVIOUS: ReadonlyMap<number, NodeId> = new Map();

function previousNodes(snapshot: ClusterSnapshot, tasks: readonly Task[]): ReadonlyMap<number, NodeId> {
  if (tasks.length === 0) {
    return NO_PREVIOUS;
  }
  const newest = new Map<number, Task>();
  for (const task of tasks) {
    if (task.fence >= (newest.get(task.slot)?.fence ?? 0)) {
      newest.set(task.slot, task);
    }
  }
  return new Map([...newest].filter(([, task]) => snapshot.statuses.get(task.id)?.value.phase !== 'failed').map(([slot, task]) => [slot, task.node]));
}
