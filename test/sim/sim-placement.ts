/** I12: where a task is placed, judged at its first revision by the rules of its manifest alone (placement-checker.ts), not by the scheduler. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import type { Service } from '#model/app.ts';
import { isFinished } from '#model/task.ts';
import type { Task } from '#model/task.ts';
import { placementViolations } from '../support/placement-checker.ts';
import type { RecordKey } from '../../controller/store/keys.ts';
import type { Before } from './sim-budgets.ts';

/** So old the picture may be that a write of a leader was decided from: it may begin one for 2/3 LEASE, and it takes its way. */
const PICTURE_MS = 10_000;

interface Earlier {
  readonly node: Node;
  readonly untilMs: number;
}

export class PlacementWatch {
  readonly #nowMs: () => number;
  readonly #now = new Map<NodeId, Node>();
  #earlier: readonly Earlier[] = [];

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  problems(snapshot: ClusterSnapshot, keys: readonly (RecordKey | undefined)[], before: Before): readonly string[] {
    this.#noteNodes(snapshot, keys);
    const fresh = keys.flatMap(key => (key?.kind === 'task' && before.tasks.get(key.id)?.task === undefined ? snapshot.tasks.get(key.id)?.value ?? [] : []));
    return fresh.length === 0 ? [] : this.#judge(snapshot, fresh);
  }

  /** Where the rules allow a further task of the service now, on nodes that have been as they are for a while. */
  allows(snapshot: ClusterSnapshot, service: Service, slot: number): readonly NodeId[] {
    const changed = new Set(this.#recent().map(({ node }) => node.id));
    return [...snapshot.nodes.values()].map(({ value }) => value).filter(({ id }) => !changed.has(id))
      .filter(({ id }) => violations(snapshot, nodesOf(snapshot), [], [{ service, slot, node: id }]).length === 0).map(({ id }) => id);
  }

  #judge(snapshot: ClusterSnapshot, fresh: readonly Task[]): readonly string[] {
    const placed = fresh.flatMap(task => {
      const service = snapshot.services.get(task.serviceId)?.value;
      return service === undefined ? [] : [{ service: { ...service, spec: { ...service.spec, container: task.container } }, slot: task.slot, node: task.node, deviceUnits: task.deviceUnits ?? [] }];
    });
    const ids = fresh.map(({ id }) => id);
    const found = violations(snapshot, nodesOf(snapshot), ids, placed);
    // Decided from a picture in which some node was still as before.
    const isOfBefore = found.length > 0 && this.#recent().some(({ node }) => violations(snapshot, nodesOf(snapshot).map(one => (one.id === node.id ? node : one)), ids, placed).length < found.length);
    return isOfBefore ? [] : found.map(problem => `I12: ${problem} (${fresh.map(({ name }) => name).join(', ')})`);
  }

  #noteNodes(snapshot: ClusterSnapshot, keys: readonly (RecordKey | undefined)[]): void {
    for (const key of keys) {
      const node = key?.kind === 'node' ? snapshot.nodes.get(key.id)?.value : undefined;
      if (node !== undefined) {
        const known = this.#now.get(node.id);
        if (known !== undefined) this.#earlier = [...this.#recent(), { node: known, untilMs: this.#nowMs() }];
        this.#now.set(node.id, node);
      }
    }
  }

  #recent(): readonly Earlier[] {
    return this.#earlier.filter(({ untilMs }) => this.#nowMs() - untilMs < PICTURE_MS);
  }
}

function nodesOf({ nodes }: ClusterSnapshot): readonly Node[] {
  return [...nodes.values()].map(({ value }) => value);
}

type Placed = NonNullable<Parameters<typeof placementViolations>[0]['placed']>[number];

function violations(snapshot: ClusterSnapshot, nodes: readonly Node[], fresh: readonly TaskId[], placed: readonly Placed[]): readonly string[] {
  // What a lost node had is replaced elsewhere: it is in nobody's way (reliability 3).
  const tasks = [...snapshot.tasks.values()].map(({ value }) => value).filter(task => !fresh.includes(task.id)
    && !isFinished(snapshot.statuses.get(task.id)?.value.phase ?? 'pending') && snapshot.nodes.get(task.node)?.value.condition !== 'lost');
  return placementViolations({ nodes, placed, tasks, services: [...snapshot.services.values()].map(({ value }) => value) });
}
