/** Who holds which unit of the node's named devices, or which share of it. A unit's id is `NAME#INDEX`, in the order the node declares them. */
import { chooseUnits, freeUnits, takeUnits, WHOLE } from '#model/device-share.ts';
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import type { DeviceCount } from '#model/service.ts';
import type { Task } from '#model/task.ts';
import type { Devices } from './ports.ts';

type DeviceTask = Pick<Task, 'id' | 'deviceUnits'> & { readonly container: Pick<Task['container'], 'deviceRequests'> };

interface Holding {
  readonly requests: readonly DeviceCount[];
  readonly units: readonly string[];
}

export class DeviceUnits implements Devices {
  /** Number of units by name. */
  readonly #declared: ReadonlyMap<string, number>;
  readonly #held = new Map<TaskId, Holding>();

  /** @param declared  every unit's id */
  constructor(declared: readonly string[]) {
    this.#declared = new Map(declared.map(deviceNameOf).map((name, _, names) => [name, names.filter(one => one === name).length]));
  }

  take(task: DeviceTask): readonly string[] {
    const held = this.#held.get(task.id);
    if (held !== undefined) {
      return held.units;
    }
    const requests = task.container.deviceRequests;
    const units = requests.flatMap(request => this.#choose(request, task));
    this.#hold(task.id, { requests, units });
    return units;
  }

  release(task: TaskId): void {
    this.#held.delete(task);
  }

  adopt(task: DeviceTask, units: readonly string[]): void {
    this.#hold(task.id, { requests: task.container.deviceRequests, units });
  }

  #hold(task: TaskId, holding: Holding): void {
    if (holding.units.length > 0) {
      this.#held.set(task, holding);
    }
  }

  /** Those that the scheduler chose, while nobody has them here. */
  #choose(request: DeviceCount, { deviceUnits = [] }: DeviceTask): readonly string[] {
    const { name, count, milli = WHOLE } = request;
    const free = this.#free(name);
    const wished = deviceUnits.find(one => one.name === name)?.units ?? [];
    const isFree = wished.length === count && wished.every(unit => (free[unit] ?? 0) >= milli);
    const chosen = isFree ? wished : chooseUnits(free, request);
    if (chosen === undefined) {
      const share = milli === WHOLE ? String(count) : `${String(milli / WHOLE)} each of ${String(count)}`;
      throw new ClusterError('RESOURCE_EXHAUSTED', `${share} of device ${name} are needed, ${String(free.filter(left => left >= milli).length)} are free on this node`);
    }
    return chosen.map(unit => `${name}#${String(unit)}`);
  }

  /** Thousandths of each unit. */
  #free(name: string): readonly number[] {
    const free = freeUnits(this.#declared.get(name) ?? 0);
    for (const { requests, units } of this.#held.values()) {
      const taken = units.filter(unit => deviceNameOf(unit) === name).map(unit => Number(unit.slice(name.length + 1)));
      takeUnits(free, taken, requests.find(request => request.name === name)?.milli ?? WHOLE);
    }
    return free;
  }
}

/** The name in a unit's id. */
export function deviceNameOf(unit: string): string {
  return unit.slice(0, unit.lastIndexOf('#'));
}
