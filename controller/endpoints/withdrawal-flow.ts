import type { Clock } from '#kit/clock.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { NodeId, TaskId } from '#model/ids.ts';
import type { Task } from '#model/task.ts';
import type { EndpointsLoop } from './endpoints-loop.ts';
import type { PeerEndpoints } from './ports.ts';

/** How long a stop waits for the nodes to take the task out of their endpoints. Source: decisions.md, "Stop order". */
export const WITHDRAWAL_LIMIT_MS = 2_000;
/**
 * How long a task with ports goes on once no new connection reaches it: connections made just before have their answers by then. Many servers end
 * at the stop signal at once, and what they had not answered is lost.
 */
export const IN_FLIGHT_MS = 250;

/**
 * A task leaves the endpoints of every node before its agent is told to stop it.
 *
 * `heldTasks` names the tasks of a node that are to stop but may not be told yet. The first call for such a task starts the wait:
 * every session here and at the other controllers must acknowledge endpoints as new as the stop, or WITHDRAWAL_LIMIT_MS pass; then IN_FLIGHT_MS
 * for a task with ports.
 */
export class WithdrawalFlow {
  readonly #endpoints: EndpointsLoop;
  readonly #peers: PeerEndpoints;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  /** Task -> etcd revision of its record, whose wait is over (true) or going on (false). */
  readonly #waits = new Map<TaskId, { readonly revision: number; isOver: boolean; readonly wake: Set<() => void> }>();

  constructor(endpoints: EndpointsLoop, peers: PeerEndpoints, clock: Clock, signal: AbortSignal) {
    this.#endpoints = endpoints;
    this.#peers = peers;
    this.#clock = clock;
    this.#signal = signal;
  }

  heldTasks(node: NodeId, snapshot: ClusterSnapshot, wake: () => void): ReadonlySet<TaskId> {
    const held = new Set<TaskId>();
    for (const id of snapshot.tasksOnNode.get(node) ?? []) {
      const task = snapshot.tasks.get(id);
      if (task?.value.desired !== 'stop') {
        continue;
      }
      const wait = this.#waits.get(id) ?? this.#begin(task.value, task.modRevision);
      if (!wait.isOver) {
        wait.wake.add(wake);
        held.add(id);
      }
    }
    this.#forget(snapshot);
    return held;
  }

  #begin({ id, container }: Task, revision: number): { isOver: boolean; readonly wake: Set<() => void> } {
    const wait = { revision, isOver: false, wake: new Set<() => void>() };
    this.#waits.set(id, wait);
    const finish = (): void => {
      wait.isOver = true;
      for (const wake of wait.wake) {
        wake();
      }
    };
    // Either way the wait ends after the limit: a node that is away must not keep a task alive.
    void Promise.all([
      this.#endpoints.awaitAcknowledged(revision, WITHDRAWAL_LIMIT_MS, this.#signal),
      this.#peers.awaitAtPeers(revision, WITHDRAWAL_LIMIT_MS),
    ]).then(async () => {
      if (container.ports.length > 0) await this.#clock.sleep(IN_FLIGHT_MS, this.#signal);
    }).then(finish, finish);
    return wait;
  }

  #forget(snapshot: ClusterSnapshot): void {
    for (const id of this.#waits.keys()) {
      if (!snapshot.tasks.has(id)) {
        this.#waits.delete(id);
      }
    }
  }
}
