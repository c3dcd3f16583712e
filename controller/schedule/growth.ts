/** Whether tasks may be given more where they run: their nodes, room that is being made for others, and the quota of their namespace say so. */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { requestsOf } from '#model/companion.ts';
import { missingCpu } from '#model/cpuset.ts';
import { missingPageSize } from '#model/hugepages.ts';
import { formatMemory } from '#model/quantity.ts';
import type { Task } from '#model/task.ts';
import { explainObstacles } from './explain.ts';
import { NodeTable } from './node-table.ts';
import { Quotas } from './quota.ts';
import { Reservations } from './reservations.ts';

/** Counts what it grants: the next task finds what is left. All tasks are of one service. */
export class GrowthRoom {
  readonly #table: NodeTable;
  readonly #quotas: Quotas;

  constructor(snapshot: ClusterSnapshot, service: Service) {
    this.#table = new NodeTable(snapshot);
    this.#quotas = new Quotas(snapshot);
    new Reservations(this.#table).turnTo(service);
  }

  /** Why `task` cannot become `next` where it is, and then nothing is counted; undefined: it can. What becomes no larger always fits. */
  grant(task: Task, next: Task): string | undefined {
    const row = this.#table.rowOf(task.node);
    if (row === undefined) {
      return `node ${task.node} is not there any more`;
    }
    const obstacle = this.#obstacle(row, task, next);
    if (obstacle === undefined) {
      const units = this.#table.unitsOf(task.id);
      this.#table.give(row, task, units);
      this.#table.put(row, next, units);
      this.#quotas.grow(task, next);
    }
    return obstacle;
  }

  #obstacle(row: number, task: Task, next: Task): string | undefined {
    const { cpus, hugepageSizes, id } = this.#table.node(row);
    const { cpuset } = next.container.limits;
    const missing = cpuset === undefined ? undefined : missingCpu(cpuset, cpus);
    if (missing !== undefined) {
      return `${id} has no cpu ${String(missing)}`;
    }
    const pageBytes = missingPageSize(next, hugepageSizes);
    if (pageBytes !== undefined) {
      return `${id} cannot limit huge pages of ${formatMemory(pageBytes)}`;
    }
    const [before, after, free] = [requestsOf(task), requestsOf(next), this.#table.free(row)];
    const isShort = (['milliCpu', 'memoryBytes', 'diskBytes', 'pids'] as const).some(key => {
      const more = (after[key] ?? 0) - (before[key] ?? 0);
      return more > 0 && more > free[key];
    });
    if (isShort) {
      return `${id} has no room for it`;
    }
    const gap = this.#quotas.growthGap(task, next);
    return gap === undefined ? undefined : explainObstacles([{ node: id, kind: 'quota', ...gap }]);
  }
}
