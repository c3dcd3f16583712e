/** How many services have each priority, so that the lowest is known without a look at all of them. */
import type { ServiceId } from '#model/ids.ts';

export class Priorities {
  readonly #of = new Map<ServiceId, number>();
  readonly #counts = new Map<number, number>();

  /** Undefined: the service is gone. */
  set(service: ServiceId, priority: number | undefined): void {
    const known = this.#of.get(service);
    if (known === priority) return;
    if (known !== undefined) this.#count(known, -1);
    if (priority === undefined) {
      this.#of.delete(service);
    } else {
      this.#of.set(service, priority);
      this.#count(priority, 1);
    }
  }

  clear(): void {
    this.#of.clear();
    this.#counts.clear();
  }

  hasBelow(priority: number): boolean {
    for (const known of this.#counts.keys()) {
      if (known < priority) return true;
    }
    return false;
  }

  #count(priority: number, change: 1 | -1): void {
    const count = (this.#counts.get(priority) ?? 0) + change;
    if (count === 0) this.#counts.delete(priority);
    else this.#counts.set(priority, count);
  }
}
