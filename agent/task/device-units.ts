/** Who holds which unit of the node's named devices. A unit's id is `NAME#INDEX`, in the order the node declares them. */
import { ClusterError } from '#model/errors.ts';
import type { TaskId } from '#model/ids.ts';
import type { DeviceCount } from '#model/service.ts';
import type { Devices } from './ports.ts';

export class DeviceUnits implements Devices {
  readonly #declared: readonly string[];
  readonly #held = new Map<TaskId, readonly string[]>();

  /** @param declared  every unit's id */
  constructor(declared: readonly string[]) {
    this.#declared = declared;
  }

  take(task: TaskId, requests: readonly DeviceCount[]): readonly string[] {
    const held = this.#held.get(task);
    if (held !== undefined) {
      return held;
    }
    const taken = new Set([...this.#held.values()].flat());
    const units = requests.flatMap(request => chooseUnits(request, this.#declared.filter(unit => !taken.has(unit))));
    if (units.length > 0) {
      this.#held.set(task, units);
    }
    return units;
  }

  release(task: TaskId): void {
    this.#held.delete(task);
  }

  adopt(task: TaskId, units: readonly string[]): void {
    if (units.length > 0) {
      this.#held.set(task, units);
    }
  }
}

/** The name in a unit's id. */
export function deviceNameOf(unit: string): string {
  return unit.slice(0, unit.lastIndexOf('#'));
}

function chooseUnits({ name, count }: DeviceCount, free: readonly string[]): readonly string[] {
  const fitting = free.filter(unit => deviceNameOf(unit) === name);
  if (fitting.length < count) {
    throw new ClusterError('RESOURCE_EXHAUSTED', `${String(count)} of device ${name} are needed, ${String(fitting.length)} are free on this node`);
  }
  return fitting.slice(0, count);
}
