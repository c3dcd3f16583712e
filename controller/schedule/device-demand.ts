/** Which devices the services of the cluster ask for: the tasks that a node should stay fit for. */
import type { Service } from '#model/app.ts';
import { WHOLE } from '#model/device-share.ts';
import { requestsOf } from '#model/companion.ts';
import type { ServiceId } from '#model/ids.ts';
import { EIGHTH } from './unit-shape.ts';

/** Tasks that ask for one device alike, shares rounded up to eighths of a unit. */
export interface DemandClass {
  readonly device: string;
  readonly count: number;
  readonly milli: number;
  /** Means of its tasks. */
  readonly milliCpu: number;
  readonly memoryBytes: number;
  /** Share of the tasks that ask for devices. */
  readonly weight: number;
}

interface Sum {
  readonly device: string;
  readonly count: number;
  readonly milli: number;
  tasks: number;
  milliCpu: number;
  memoryBytes: number;
}

/** The most frequent classes, which are nearly all tasks. */
const MAX_CLASSES = 32;

/** Sums of whole numbers, so that the order in which services came makes no difference. */
export class DeviceDemand {
  readonly #sums = new Map<string, Sum>();
  readonly #services = new Map<ServiceId, Service>();
  #classes: readonly DemandClass[] | undefined;

  /** Counts the service as it is now; undefined: it is gone. */
  set(id: ServiceId, service: Service | undefined): void {
    const known = this.#services.get(id);
    if (known === service) return;
    if (known !== undefined) this.#count(known, -1);
    this.#services.delete(id);
    if (service !== undefined && service.spec.container.deviceRequests.length > 0) {
      this.#count(service, 1);
      this.#services.set(id, service);
    }
  }

  clear(): void {
    this.#sums.clear();
    this.#services.clear();
    this.#classes = undefined;
  }

  get classes(): readonly DemandClass[] {
    this.#classes ??= classesOf([...this.#sums]);
    return this.#classes;
  }

  #count({ spec }: Service, sign: 1 | -1): void {
    this.#classes = undefined;
    const { milliCpu, memoryBytes } = requestsOf(spec);
    const tasks = sign * Math.max(1, spec.replicas);
    for (const { name, count, milli = WHOLE } of spec.container.deviceRequests) {
      const rounded = Math.min(WHOLE, Math.ceil(milli / EIGHTH) * EIGHTH);
      const key = `${name} ${String(count)} ${String(rounded)}`;
      const sum = this.#sums.get(key) ?? { device: name, count, milli: rounded, tasks: 0, milliCpu: 0, memoryBytes: 0 };
      sum.tasks += tasks;
      sum.milliCpu += tasks * milliCpu;
      sum.memoryBytes += tasks * memoryBytes;
      if (sum.tasks === 0) this.#sums.delete(key);
      else this.#sums.set(key, sum);
    }
  }
}

function classesOf(sums: readonly (readonly [string, Sum])[]): readonly DemandClass[] {
  const ordered = sums.toSorted(([left, one], [right, other]) => other.tasks - one.tasks || (left < right ? -1 : 1)).slice(0, MAX_CLASSES);
  const all = ordered.reduce((total, [, { tasks }]) => total + tasks, 0);
  return ordered.map(([, { device, count, milli, tasks, milliCpu, memoryBytes }]) => ({
    device, count, milli, milliCpu: milliCpu / tasks, memoryBytes: memoryBytes / tasks, weight: tasks / all,
  }));
}
