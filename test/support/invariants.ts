/** What must hold at every etcd revision of a history and in the agents' start journals (reliability.md, section 1). */
import { existsSync, readFileSync } from 'node:fs';
import { TASK_ADDRESSES } from '#model/addressing.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { TaskId } from '#model/ids.ts';
import { phaseOrder } from '#model/task.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import { isOnLostNode, isServing, mayRun, rowsOf } from '../../controller/reconcile/task-row.ts';
import { hostPortsOf, isEnded, nodeLoads } from '../../controller/schedule/node-load.ts';
import type { NodeLoad } from '../../controller/schedule/node-load.ts';
import { ClusterMirror } from '../../controller/store/snapshot.ts';
import type { DevLayout } from '../../cli/dev/layout.ts';
import type { HistoryEntry } from './cluster-history.ts';

/** What a service promised for a while: checked at every revision in it (I7). */
export interface Budget {
  /** `namespace/app/service` */
  readonly service: string;
  readonly fromRevision: number;
  readonly toRevision: number;
  readonly minServing: number;
  readonly maxCopies: number;
}

/** I7, I12, I14 over the whole history; each violation as one line. */
export function checkHistory(entries: readonly HistoryEntry[], budgets: readonly Budget[] = []): readonly string[] {
  const mirror = new ClusterMirror();
  const known = new Map<TaskId, { readonly task?: Task; readonly status?: TaskStatus }>();
  const violations = new Set<string>();
  for (const { batch } of entries) {
    mirror.apply(batch);
    const snapshot = mirror.current;
    for (const line of [...checkForward(snapshot, known), ...checkFit(snapshot), ...budgets.flatMap(budget => checkBudget(snapshot, budget))]) {
      violations.add(line);
    }
  }
  return [...violations];
}

/** I14: a status never goes back, a wished stop is never taken back, a task never moves. */
function checkForward(snapshot: ClusterSnapshot, known: Map<TaskId, { readonly task?: Task; readonly status?: TaskStatus }>): readonly string[] {
  const violations: string[] = [];
  for (const [id, { value: task }] of snapshot.tasks) {
    const before = known.get(id);
    const status = snapshot.statuses.get(id)?.value;
    violations.push(...taskBack(before?.task, task), ...statusBack(task, before?.status, status));
    known.set(id, { task, ...(status === undefined ? {} : { status }) });
  }
  return violations;
}

function taskBack(before: Task | undefined, { name, node, desired }: Task): readonly string[] {
  const isSame = before === undefined || (before.node === node && (before.desired === 'run' || desired === 'stop'));
  return isSame ? [] : [`I14: task ${name} went from ${before.node} ${before.desired} to ${node} ${desired}`];
}

function statusBack({ name }: Task, before: TaskStatus | undefined, after: TaskStatus | undefined): readonly string[] {
  return before === undefined || after === undefined || !isBack(before, after) ? [] : [`I14: status of ${name} went from ${statusText(before)} to ${statusText(after)}`];
}

function isBack(before: TaskStatus, after: TaskStatus): boolean {
  return after.attempt < before.attempt || (after.attempt === before.attempt && phaseOrder(after.phase) < phaseOrder(before.phase));
}

function statusText({ attempt, phase }: TaskStatus): string {
  return `${String(attempt)} ${phase}`;
}

/** I12: requests fit, each task has an address, host ports have one owner. */
function checkFit(snapshot: ClusterSnapshot): readonly string[] {
  return nodeLoads(snapshot).flatMap(load => {
    const { id } = load.node;
    const tasks = [...(snapshot.tasksOnNode.get(id) ?? [])].flatMap(one => snapshot.tasks.get(one)?.value ?? []).filter(task => !isEnded(snapshot, task));
    const ports = tasks.flatMap(task => hostPortsOf(task.container));
    return [
      ...(isOver(load) ? [`I12: node ${id} promised more than it has`] : []),
      ...(tasks.length > TASK_ADDRESSES ? [`I12: node ${id} has more tasks than addresses`] : []),
      ...(new Set(ports).size < ports.length ? [`I12: node ${id} has a host port with two owners`] : []),
    ];
  });
}

function isOver({ used, node: { capacity, pids } }: NodeLoad): boolean {
  return used.milliCpu > capacity.milliCpu || used.memoryBytes > capacity.memoryBytes || (used.diskBytes ?? 0) > (capacity.diskBytes ?? Infinity)
    || (used.pids ?? 0) > (capacity.pids ?? (pids > 0 ? pids : Infinity));
}

function checkBudget(snapshot: ClusterSnapshot, budget: Budget): readonly string[] {
  const { etcdRevision } = snapshot;
  const service = [...snapshot.services.keys()].find(id => id === budget.service);
  if (service === undefined || etcdRevision < budget.fromRevision || etcdRevision > budget.toRevision) {
    return [];
  }
  const rows = rowsOf(snapshot, service);
  const serving = rows.filter(row => isServing(row)).length;
  const copies = rows.filter(row => mayRun(row) && !isOnLostNode(row)).length;
  return [
    ...(serving < budget.minServing ? [`I7: ${budget.service} had ${String(serving)} serving copies at revision ${String(etcdRevision)}`] : []),
    ...(copies > budget.maxCopies ? [`I7: ${budget.service} had ${String(copies)} copies at revision ${String(etcdRevision)}`] : []),
  ];
}

/** One line of a start journal. */
export interface JournalStart {
  readonly node: string;
  readonly task: string;
  readonly attempt: number;
  /** `cINDEX RUN`; empty for the main container. */
  readonly companion: string;
}

export function readStarts(layout: DevLayout): readonly JournalStart[] {
  return layout.nodes.flatMap(node => ['starts.old', 'starts'].flatMap(name => {
    const file = `${layout.stateDir}/${node.name}/state/${name}`;
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    return lines.filter(line => line !== '').map(line => {
      const [task = '', attempt = '', ...companion] = line.split(' ');
      return { node: node.name, task, attempt: Number(attempt), companion: companion.join(' ') };
    });
  }));
}

/** I1: each (task, attempt) started at most once in all journals together, and only on the node that it was placed on. */
export function checkStarts(starts: readonly JournalStart[], nodeOfTask: ReadonlyMap<string, string>): readonly string[] {
  const seen = new Set<string>();
  return starts.flatMap(({ node, task, attempt, companion }) => {
    const key = `${task}/${String(attempt)}${companion === '' ? '' : ` ${companion}`}`;
    const isSecond = seen.has(key);
    seen.add(key);
    const home = nodeOfTask.get(task);
    return [
      ...(isSecond ? [`I1: attempt ${key} was started twice`] : []),
      ...(home !== undefined && home !== node ? [`I1: attempt ${key} was started on ${node}, placed on ${home}`] : []),
    ];
  });
}

/** Every task that the history ever placed, with its node. */
export function placedTasks(entries: readonly HistoryEntry[]): ReadonlyMap<string, Task> {
  const mirror = new ClusterMirror();
  const placed = new Map<string, Task>();
  for (const { batch } of entries) {
    mirror.apply(batch);
    for (const change of batch.changes) {
      const id = change.kind === 'put' ? change.entry.key.split('/').at(-1) : undefined;
      const task = id === undefined ? undefined : mirror.current.tasks.get(id as TaskId)?.value;
      if (task !== undefined && change.kind === 'put' && change.entry.key.includes('/tasks/')) {
        placed.set(task.id, task);
      }
    }
  }
  return placed;
}
