/** Slots of one service that fit nowhere, by class: slots of a class may go to the same nodes and find the same obstacles. */
import type { NodeId } from '#model/ids.ts';
import { splitVolumeId, volumeNames } from '#model/volume.ts';
import type { ServiceRequest } from './filters.ts';
import type { ObstacleSummary } from './obstacle-summary.ts';
import type { RoomSearch } from './preempt.ts';

export interface Failure {
  readonly obstacles: ObstacleSummary;
  /** In the order in which they were tried. */
  readonly slots: number[];
  readonly room: RoomState;
}

/** What is known of tasks of lower priority that make room; kept from slot to slot. */
export interface RoomState {
  /** They cannot make room either. */
  isFinal: boolean;
  search?: RoomSearch;
}

interface Wanted {
  readonly slot: number;
  readonly node?: NodeId;
}

/** Classes that get a summary of all nodes of their own; the slots of further classes join the last. */
const MAX_EXPLAINED = 10;

export class Failures {
  readonly #request: ServiceRequest;
  readonly #byClass = new Map<string, Failure>();
  /** Volumes whose old data is to be deleted on some node. */
  readonly #leaving: ReadonlySet<string>;
  #ofAll: Failure | undefined;
  #last: Failure | undefined;
  /** Obstacles that were examined. */
  #examined = 0;

  constructor(request: ServiceRequest) {
    this.#request = request;
    this.#leaving = new Set([...request.leaving].map(id => splitVolumeId(id).name));
  }

  known(wanted: Wanted): Failure | undefined {
    return this.#ofAll ?? (this.#byClass.size === 0 ? undefined : this.#byClass.get(this.#classOf(wanted)));
  }

  /** Notes that the class of the slot fits nowhere. */
  add(wanted: Wanted, nodeCount: number, summarizeObstacles: () => ObstacleSummary): Failure {
    const shared = this.#examined < MAX_EXPLAINED * nodeCount ? undefined : this.#last;
    const failure = shared === undefined ? { obstacles: summarizeObstacles(), slots: [], room: { isFinal: false } } : { obstacles: shared.obstacles, slots: shared.slots, room: { isFinal: false } };
    this.#examined += shared === undefined ? failure.obstacles.total : 0;
    this.#byClass.set(this.#classOf(wanted), failure);
    this.#last = failure;
    return failure;
  }

  /** Notes that the slot fits nowhere, as that of a service that differs in nothing that counts. */
  addAlike(wanted: Wanted, { obstacles, room }: Failure): Failure {
    const failure = { obstacles, slots: [], room };
    this.#byClass.set(this.#classOf(wanted), failure);
    return failure;
  }

  /** No slot of the service can be placed any more, and no node is the reason. */
  addForAll(obstacles: ObstacleSummary): Failure {
    this.#ofAll = { obstacles, slots: [], room: { isFinal: true } };
    return this.#ofAll;
  }

  /** What of a slot decides where it may go: its node, and those of its volumes that are bound to nodes. */
  #classOf({ slot, node }: Wanted): string {
    const { service, homes } = this.#request;
    if (homes.size + this.#leaving.size === 0) {
      return node ?? '';
    }
    const volumes = volumeNames({ ...service.spec, namespace: service.namespace, volumes: service.volumes }, slot);
    return [node ?? '', ...volumes.filter(volume => homes.has(volume) || this.#leaving.has(volume))].join(' ');
  }
}

/** The only node that may take the slot because it has data of one of its volumes. */
export function homeOf({ service, homes }: ServiceRequest, slot: number): NodeId | undefined {
  if (homes.size === 0) {
    return undefined;
  }
  const volumes = volumeNames({ ...service.spec, namespace: service.namespace, volumes: service.volumes }, slot);
  return volumes.flatMap(volume => homes.get(volume) ?? [])[0];
}
