/** `web-1`, `shop/web-1`, `default/shop/web-1`, `web.1`: a replica by the slot in its task's name. */
import type { ServiceView, TaskView } from '#model/ports.ts';
import { isFinished } from '#model/task.ts';

export interface ReplicaAddress {
  readonly namespace?: string;
  readonly app?: string;
  readonly service: string;
  readonly slot: number;
}

export function parseReplicaAddress(text: string): ReplicaAddress | undefined {
  const groups = /^(?:(?:(?<namespace>[^/]+)\/)?(?<app>[^/]+)\/)?(?<service>[^/]+)[-.](?<slot>\d{1,6})$/.exec(text)?.groups;
  const { namespace, app, service, slot } = groups ?? {};
  return service === undefined ? undefined : {
    service, slot: Number(slot),
    ...(namespace === undefined ? {} : { namespace }),
    ...(app === undefined ? {} : { app }),
  };
}

/**
 * One task for each service that the address may mean. During an update a slot has several tasks,
 * and tasks that ended stay listed for a while: a running one comes first, then a wanted one, then
 * the newest.
 */
export function tasksAt(address: ReplicaAddress, tasks: readonly TaskView[]): readonly TaskView[] {
  const meant = tasks.filter(({ task }) => task.slot === address.slot && isOf(address, { ...task, name: task.service }));
  const byService = [...Map.groupBy(meant, ({ task }) => task.serviceId).values()];
  return byService.flatMap(tasks => tasks.toSorted(byRank).slice(0, 1));
}

/** Services that the address may mean, whatever slots they have. */
export function servicesAt(address: ReplicaAddress, services: readonly ServiceView[]): readonly ServiceView[] {
  return services.filter(({ service }) => isOf(address, service));
}

type ServiceNames = Readonly<Record<'namespace' | 'app' | 'name', string>>;

function isOf({ namespace, app, service }: ReplicaAddress, of: ServiceNames): boolean {
  return of.name === service && (app === undefined || of.app === app) && (namespace === undefined || of.namespace === namespace);
}

function byRank(left: TaskView, right: TaskView): number {
  return rankOf(right) - rankOf(left) || right.task.createdAtMs - left.task.createdAtMs;
}

function rankOf({ task, status, state }: TaskView): number {
  const isWanted = task.desired === 'run' && !isFinished(status?.phase ?? 'pending');
  return (state === 'running' || state === 'paused' ? 2 : 0) + (isWanted ? 1 : 0);
}
