/** What is left of a namespace's quota. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { requestsOf } from '#model/companion.ts';
import type { ContainerSet } from '#model/companion.ts';
import type { NamespaceQuota } from '#model/namespace.ts';
import type { Task } from '#model/task.ts';
import { isEnded } from './node-load.ts';
import { WHOLE } from '#model/device-share.ts';

/** Of which of the quota's amounts there is too little; `resource` is `cpu`, `memory`, `tasks` or `device NAME`. */
export interface QuotaGap {
  readonly namespace: string;
  readonly resource: string;
  readonly need: number;
  readonly free: number;
  readonly limit: number;
}

/** Amounts by name: `cpu` in thousandths, `memory` in bytes, `tasks`, `device NAME` in thousandths of units. */
export type QuotaUse = Map<string, number>;

const DEVICE = 'device ';

/** What the unfinished tasks of the namespace ask for, those on lost nodes too. */
export function quotaUse(snapshot: ClusterSnapshot, namespace: string): QuotaUse {
  const use: QuotaUse = new Map();
  for (const { value: task } of snapshot.tasks.values()) {
    if (task.namespace === namespace && !isEnded(snapshot, task)) {
      countUse(use, task);
    }
  }
  return use;
}

/** Changes `use`. */
export function countUse(use: QuotaUse, set: ContainerSet, times = 1): void {
  for (const [name, amount] of amountsOf(set)) {
    use.set(name, (use.get(name) ?? 0) + amount * times);
  }
}

/** The first amount that one more task of the service goes beyond. */
export function quotaGap(quota: NamespaceQuota, use: QuotaUse, { namespace, spec }: Pick<Service, 'namespace' | 'spec'>): QuotaGap | undefined {
  return gapOf(quota, use, { namespace, amounts: amountsOf(spec) });
}

interface Need {
  readonly namespace: string;
  readonly amounts: readonly (readonly [string, number])[];
}

function gapOf(quota: NamespaceQuota, use: QuotaUse, { namespace, amounts }: Need): QuotaGap | undefined {
  const limits = limitsOf(quota);
  for (const [resource, need] of amounts) {
    const limit = limits.get(resource);
    const free = (limit ?? Infinity) - (use.get(resource) ?? 0);
    if (limit !== undefined && need > free) {
      return { namespace, resource, need, free: Math.max(0, free), limit };
    }
  }
  return undefined;
}

/** Quotas of namespaces and what is used of them, while a call places. */
export class Quotas {
  readonly #snapshot: ClusterSnapshot;
  readonly #uses = new Map<string, QuotaUse>();

  constructor(snapshot: ClusterSnapshot) {
    this.#snapshot = snapshot;
  }

  /** What one more task of the service goes beyond. */
  gap(service: Service): QuotaGap | undefined {
    const quota = this.#quotaOf(service);
    return quota === undefined ? undefined : quotaGap(quota, this.#useOf(service), service);
  }

  /** What the task goes beyond when it asks for what `next` does. */
  growthGap(task: Task, next: Task): QuotaGap | undefined {
    const quota = this.#quotaOf(task);
    if (quota === undefined) {
      return undefined;
    }
    const [use, before] = [this.#useOf(task), new Map(amountsOf(task))];
    const grown = amountsOf(next).map(([name, amount]) => [name, amount - (before.get(name) ?? 0)] as const);
    return gapOf(quota, use, { namespace: task.namespace, amounts: grown.filter(([, amount]) => amount > 0) });
  }

  grow(task: Task, next: Task): void {
    if (this.#quotaOf(task) !== undefined) {
      countUse(this.#useOf(task), task, -1);
      countUse(this.#useOf(task), next);
    }
  }

  count(service: Service, times: number): void {
    if (this.#quotaOf(service) !== undefined) {
      countUse(this.#useOf(service), service.spec, times);
    }
  }

  #quotaOf({ namespace }: Pick<Service, 'namespace'>): NamespaceQuota | undefined {
    return this.#snapshot.namespaces.get(namespace)?.value.quota;
  }

  #useOf({ namespace }: Pick<Service, 'namespace'>): QuotaUse {
    const use = this.#uses.get(namespace) ?? quotaUse(this.#snapshot, namespace);
    this.#uses.set(namespace, use);
    return use;
  }
}

/** As a policy shows it. */
export function asQuota(use: QuotaUse): NamespaceQuota {
  return {
    milliCpu: use.get('cpu') ?? 0, memoryBytes: use.get('memory') ?? 0, tasks: use.get('tasks') ?? 0,
    devices: [...use].filter(([name]) => name.startsWith(DEVICE)).sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, amount]) => ({ name: name.slice(DEVICE.length), count: Math.ceil(amount / WHOLE) })),
  };
}

function limitsOf({ milliCpu, memoryBytes, tasks, devices }: NamespaceQuota): ReadonlyMap<string, number> {
  const limits = new Map(devices.map(({ name, count }) => [DEVICE + name, count * WHOLE]));
  for (const [name, limit] of [['cpu', milliCpu], ['memory', memoryBytes], ['tasks', tasks]] as const) {
    if (limit !== undefined) {
      limits.set(name, limit);
    }
  }
  return limits;
}

function amountsOf(set: ContainerSet): readonly (readonly [string, number])[] {
  const { milliCpu, memoryBytes } = requestsOf(set);
  return [
    ['tasks', 1], ['cpu', milliCpu], ['memory', memoryBytes],
    ...set.container.deviceRequests.map(({ name, count, milli = WHOLE }) => [DEVICE + name, count * milli] as const),
  ];
}
