/** What rollouts that are under way will leave on each node, as far as it differs from what is there: whoever places meanwhile ranks nodes by that. */
import type { PlannedSlot, Service, ServiceStatus } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { requestsOf } from '#model/companion.ts';
import type { ContainerSet } from '#model/companion.ts';
import type { NodeId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import { replicasInForce } from '../autoscale/replicas-in-force.ts';
import { digestsOf } from './image-rows.ts';
import { isEnded } from './node-load.ts';

/** To be added to what is wanted of the row; less than 0 where less will be. */
export interface SettlingAmount {
  readonly row: number;
  readonly milliCpu: number;
  readonly memoryBytes: number;
  /** Tasks with each image, by digest; less than 0 where fewer will be. */
  readonly images: ReadonlyMap<string, number>;
}

/**
 * A slot counts once, by its newest task, and with what its service asks for now: a replacement goes back where its slot was, or to the node that
 * was chosen for it, so that neither how far a rollout is nor how fast its tasks start changes what is wanted of a node. Slots that go count as
 * gone. Ascending by row.
 */
export function settlingAmounts(snapshot: ClusterSnapshot, rowOf: RowOf): readonly SettlingAmount[] {
  const sums: Sums = new Map();
  for (const { value: status } of snapshot.serviceStatuses.values()) {
    const service = snapshot.services.get(status.id)?.value;
    if (service !== undefined && isUnderWay(service, status)) {
      addService(sums, snapshot, { service, status, rowOf });
    }
  }
  return [...sums].map(([row, sum]) => ({ row, ...sum })).filter(one => one.milliCpu !== 0 || one.memoryBytes !== 0 || one.images.size > 0).sort((left, right) => left.row - right.row);
}

type RowOf = (node: NodeId) => number | undefined;
type Sums = Map<number, { milliCpu: number; memoryBytes: number; readonly images: Map<string, number> }>;

interface Settling {
  readonly service: Service;
  readonly status: ServiceStatus;
  readonly rowOf: RowOf;
}

function isUnderWay({ spec, revision, isDeleting }: Service, { rollout, settledRevision }: ServiceStatus): boolean {
  return !isDeleting && spec.kind !== 'job' && spec.kind !== 'cron' && (rollout.state !== 'settled' || settledRevision !== revision);
}

function addService(sums: Sums, snapshot: ClusterSnapshot, { service, status, rowOf }: Settling): void {
  const tasks = wantedTasks(snapshot, service);
  const newest = newestOfSlots(tasks);
  const planned = new Map(plannedOf(service, status).filter(({ slot }) => newest.get(slot)?.templateHash !== service.templateHash).map(({ slot, node }) => [slot, node]));
  for (const task of tasks) {
    const stays = newest.get(task.slot) === task && isWanted(service, status, task.slot) && !planned.has(task.slot);
    add(sums, rowOf(task.node), { comes: stays ? service.spec : undefined, goes: task });
  }
  for (const [slot, node] of planned) {
    add(sums, isWanted(service, status, slot) ? rowOf(node) : undefined, { comes: service.spec });
  }
}

function wantedTasks(snapshot: ClusterSnapshot, { id }: Service): readonly Task[] {
  const tasks = [...(snapshot.tasksOfService.get(id) ?? [])].flatMap(task => snapshot.tasks.get(task)?.value ?? []);
  return tasks.filter(task => task.desired === 'run' && !isEnded(snapshot, task));
}

function newestOfSlots(tasks: readonly Task[]): ReadonlyMap<number, Task> {
  const newest = new Map<number, Task>();
  for (const task of tasks) {
    if (task.fence >= (newest.get(task.slot)?.fence ?? 0)) {
      newest.set(task.slot, task);
    }
  }
  return newest;
}

function plannedOf({ revision }: Service, { rollout, planned = [] }: ServiceStatus): readonly PlannedSlot[] {
  return rollout.revision === revision ? planned : [];
}

function add(sums: Sums, row: number | undefined, { comes, goes }: { readonly comes: ContainerSet | undefined; readonly goes?: ContainerSet }): void {
  if (row !== undefined) {
    const sum = sums.get(row) ?? { milliCpu: 0, memoryBytes: 0, images: new Map<string, number>() };
    sums.set(row, sum);
    if (comes !== undefined) count(sum, comes, 1);
    if (goes !== undefined) count(sum, goes, -1);
  }
}

function count(sum: NonNullable<ReturnType<Sums['get']>>, set: ContainerSet, sign: 1 | -1): void {
  const { milliCpu, memoryBytes } = requestsOf(set);
  sum.milliCpu += sign * milliCpu;
  sum.memoryBytes += sign * memoryBytes;
  for (const digest of digestsOf(set)) {
    const tasks = (sum.images.get(digest) ?? 0) + sign;
    if (tasks === 0) sum.images.delete(digest);
    else sum.images.set(digest, tasks);
  }
}

function isWanted({ spec }: Service, status: ServiceStatus, slot: number): boolean {
  return spec.kind === 'global' || slot < replicasInForce(spec, status);
}
