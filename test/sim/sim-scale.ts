/** What autoscaling may make of a number of replicas (I7), and what it must have made of it at rest (I15). */
import type { Service } from '#model/app.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { ServiceId } from '#model/ids.ts';
import type { RecordKey } from '../../controller/store/keys.ts';
import { APP_SCALED } from './sim-apps.ts';
import { replicasOf } from './sim-budgets.ts';
import type { SimLoad } from './sim-load.ts';

export interface ScaleWorld {
  readonly nowMs: () => number;
  readonly load: SimLoad;
  /** No controller's wall clock is wrong. */
  readonly isClockTrue: () => boolean;
}

interface Change {
  /** By the clock of the simulation. */
  readonly atMs: number;
  /** By the wall clock of whoever decided it. */
  readonly decidedAtMs: number;
  readonly from: number;
  readonly to: number;
}

/** One life of a service with one `autoscale`. */
interface Known {
  readonly life: string;
  readonly decidedAtMs: number;
  readonly replicas: number;
  readonly changes: readonly Change[];
}

const TOLERANCE = 0.1;

/** Follows every number that is written, by rules of its own. */
export class ScaleWatch {
  readonly #world: ScaleWorld;
  readonly #known = new Map<ServiceId, Known>();
  #wrongAtMs = Number.NEGATIVE_INFINITY;

  constructor(world: ScaleWorld) {
    this.#world = world;
  }

  /** After a write of `client`. */
  problems(snapshot: ClusterSnapshot, keys: readonly (RecordKey | undefined)[], client: string | undefined): readonly string[] {
    if (!this.#world.isClockTrue()) this.#wrongAtMs = this.#world.nowMs();
    return keys.flatMap(key => (key?.kind === 'service' || key?.kind === 'service-status' ? this.#look(snapshot, key.id, client) : []));
  }

  #look(snapshot: ClusterSnapshot, id: ServiceId, client: string | undefined): readonly string[] {
    const entry = snapshot.services.get(id);
    const scaled = snapshot.serviceStatuses.get(id)?.value.autoscale;
    if (entry?.value.spec.autoscale === undefined || scaled === undefined) {
      this.#known.delete(id);
      return [];
    }
    const { createRevision, value: service } = entry;
    const life = `${String(createRevision)} ${JSON.stringify(service.spec.autoscale)}`;
    const known = this.#known.get(id);
    if (known?.life !== life) {
      this.#known.set(id, { life, decidedAtMs: scaled.changedAtMs, replicas: replicasOf(snapshot, service), changes: [] });
      return [];
    }
    const change = { atMs: this.#world.nowMs(), decidedAtMs: scaled.changedAtMs, from: known.replicas, to: scaled.replicas };
    // Limits that an apply changed hold at once; the status has them from the next decision on.
    if (scaled.changedAtMs === known.decidedAtMs) {
      return [];
    }
    const isSame = change.from === change.to;
    this.#known.set(id, { life, decidedAtMs: scaled.changedAtMs, replicas: scaled.replicas, changes: isSame ? known.changes : [...known.changes, change] });
    return isSame ? [] : [...changeProblems(service, change), ...this.#heldProblems(service, known.changes, change), ...this.#measuredProblems(service, change, client)];
  }

  /** What was told last to whoever wrote it asks for it. */
  #measuredProblems({ id }: Service, { from, to }: Change, client: string | undefined): readonly string[] {
    if (id !== APP_SCALED.queue.id || client === undefined) {
      return [];
    }
    const told = this.#world.load.told(client, id);
    const wanted = told?.kind === 'value' ? Math.ceil(told.value / APP_SCALED.queue.target) : undefined;
    const isAskedFor = wanted !== undefined && (to > from ? wanted >= to : Math.min(wanted, from) <= to);
    return isAskedFor ? [] : [`I7: ${id} goes from ${String(from)} to ${String(to)} replicas, ${client} was told ${JSON.stringify(told)}`];
  }

  /** Stabilisation: what it was raised to stays for a time, and so does what it was lowered to. Of a clock that jumped meanwhile nothing is promised. */
  #heldProblems({ id, spec: { autoscale } }: Service, earlier: readonly Change[], { decidedAtMs, from, to }: Change): readonly string[] {
    const heldMs = to < from ? autoscale?.stabilizationMs ?? 0 : autoscale?.upStabilizationMs ?? 0;
    const broken = earlier.find(one => one.atMs > this.#wrongAtMs && decidedAtMs - one.decidedAtMs < heldMs
      && (to < from ? one.to > one.from && to < one.to : one.to < one.from && to > one.to));
    return broken === undefined ? [] : [`I7: ${id} goes from ${String(from)} to ${String(to)} replicas ${String(decidedAtMs - broken.decidedAtMs)} ms after it went from ${String(broken.from)} to ${String(broken.to)}, ${String(heldMs)} ms are to pass`];
  }
}

/** Within its limits, and not more than double or four more at once. */
function changeProblems({ id, spec: { autoscale } }: Service, { from, to }: Change): readonly string[] {
  const [min, max] = [autoscale?.min ?? 0, autoscale?.max ?? Infinity];
  return [
    ...(to < min || to > max ? [`I7: ${id} goes to ${String(to)} replicas, ${String(min)} to ${String(max)} are allowed`] : []),
    ...(to > Math.max(from * 2, from + 4) ? [`I7: ${id} goes from ${String(from)} to ${String(to)} replicas at once`] : []),
  ];
}

/** What comes in has been the same for long: the number is what it takes, or within the tolerance of it. */
export function scaleProblems(snapshot: ClusterSnapshot, load: SimLoad): readonly string[] {
  return [...snapshot.services.values()].flatMap(({ value: service }) => {
    const { autoscale } = service.spec;
    if (autoscale === undefined) {
      return [];
    }
    const [units, replicas] = [load.units(service.id), replicasOf(snapshot, service)];
    const wanted = Math.min(autoscale.max, Math.max(autoscale.min, Math.ceil(units)));
    const isRight = replicas === wanted || Math.abs(units / replicas - 1) <= TOLERANCE;
    return isRight ? [] : [`I15: ${service.id} has ${String(replicas)} replicas, ${String(wanted)} are wanted: ${JSON.stringify(snapshot.serviceStatuses.get(service.id)?.value.autoscale)}`];
  });
}
