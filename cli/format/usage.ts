/** What tasks and nodes use now, as `top` shows it. */
import { formatCpu, formatMemory } from '#model/quantity.ts';
import type { ClusterView, NodeView, TaskView } from '#model/ports.ts';
import type { ClusterUsage, TaskUsage, UsageSample } from '#model/usage.ts';
import { decimalSize } from './docker-units.ts';
import { formatTime } from './age.ts';
import type { Item } from './items.ts';
import type { Table } from './table.ts';

export interface TaskRow {
  readonly view: TaskView;
  readonly usage: TaskUsage;
}

export interface NodeRow {
  readonly view: NodeView;
  /** Running tasks. */
  readonly taskCount: number;
  /** Of its tasks together; undefined while one of them has not been heard of. */
  readonly milliCpu: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly processes: number | undefined;
  readonly networkReceiveBytes: number | undefined;
  readonly networkTransmitBytes: number | undefined;
}

/** The tasks of the view that something is known of. */
export function taskRows(view: ClusterView, usage: ClusterUsage): readonly TaskRow[] {
  const byTask = new Map(usage.tasks.map(one => [one.sample.task, one]));
  return view.tasks.flatMap(task => {
    const found = byTask.get(task.task.id);
    return found === undefined ? [] : [{ view: task, usage: found }];
  });
}

export function nodeRows(view: ClusterView, usage: ClusterUsage): readonly NodeRow[] {
  const byTask = new Map(usage.tasks.map(one => [one.sample.task, one]));
  return view.nodes.map(node => {
    const running = view.tasks.filter(({ task, state }) => task.node === node.node.id && state === 'running').map(({ task }) => byTask.get(task.id));
    return {
      view: node, taskCount: running.length,
      milliCpu: sumOf(running.map(one => one?.milliCpu)),
      memoryBytes: sumOf(running.map(one => one?.sample.memoryBytes)),
      processes: sumOf(running.map(one => one?.sample.processes)),
      networkReceiveBytes: sumOf(running.map(one => one?.sample.networkReceiveBytes)),
      networkTransmitBytes: sumOf(running.map(one => one?.sample.networkTransmitBytes)),
    };
  });
}

function sumOf(amounts: readonly (number | undefined)[]): number | undefined {
  return amounts.reduce<number | undefined>((sum, amount) => (sum === undefined || amount === undefined ? undefined : sum + amount), 0);
}

export function taskUsageItem({ view: { task }, usage: { sample, milliCpu } }: TaskRow): Item {
  return {
    id: task.id, name: task.name, namespace: task.namespace, app: task.app, service: task.service, node: task.node,
    milliCpu: milliCpu ?? null, memoryBytes: sample.memoryBytes, memoryLimitBytes: sample.memoryLimitBytes === 0 ? null : sample.memoryLimitBytes,
    processes: sample.processes, ...trafficOf(sample), sampledAt: formatTime(sample.atMs),
  };
}

function trafficOf({ networkReceiveBytes, networkTransmitBytes, ioReadBytes, ioWriteBytes }: UsageSample): Item {
  return { networkReceiveBytes, networkTransmitBytes, ioReadBytes, ioWriteBytes };
}

export function nodeUsageItem({ view: { node }, taskCount, milliCpu, memoryBytes, processes, networkReceiveBytes, networkTransmitBytes }: NodeRow): Item {
  return {
    name: node.id, tasks: taskCount, milliCpu: milliCpu ?? null, memoryBytes: memoryBytes ?? null, processes: processes ?? null,
    networkReceiveBytes: networkReceiveBytes ?? null, networkTransmitBytes: networkTransmitBytes ?? null, capacity: { ...node.capacity, pids: node.pids },
  };
}

/** 100 % is one core, as in `docker stats`. */
export function taskUsageTable(rows: readonly TaskRow[]): Table {
  return {
    head: ['TASK', 'NAME', 'SERVICE', 'NODE', 'CPU %', 'MEM USAGE / LIMIT', 'MEM %', 'NET I/O', 'PIDS'],
    rows: rows.map(({ view: { task }, usage: { sample, milliCpu } }) => [
      task.id, task.name, `${task.app}/${task.service}`, task.node, percent(milliCpu, 1_000),
      `${formatMemory(sample.memoryBytes)} / ${sample.memoryLimitBytes === 0 ? '-' : formatMemory(sample.memoryLimitBytes)}`,
      percent(sample.memoryBytes, sample.memoryLimitBytes), traffic(sample.networkReceiveBytes, sample.networkTransmitBytes), String(sample.processes),
    ]),
  };
}

/** 100 % is all that the node offers. */
export function nodeUsageTable(rows: readonly NodeRow[]): Table {
  return {
    head: ['NODE', 'TASKS', 'CPU', 'CPU %', 'MEM USAGE / CAPACITY', 'MEM %', 'NET I/O', 'PIDS'],
    rows: rows.map(({ view: { node: { id, capacity } }, taskCount, milliCpu, memoryBytes, processes, networkReceiveBytes, networkTransmitBytes }) => [
      id, String(taskCount), milliCpu === undefined ? '' : formatCpu(milliCpu), percent(milliCpu, capacity.milliCpu),
      `${memoryBytes === undefined ? '-' : formatMemory(memoryBytes)} / ${formatMemory(capacity.memoryBytes)}`, percent(memoryBytes, capacity.memoryBytes),
      traffic(networkReceiveBytes, networkTransmitBytes), processes === undefined ? '' : String(processes),
    ]),
  };
}

/** What came, then what went. */
export function traffic(inBytes: number | undefined, outBytes: number | undefined): string {
  return inBytes === undefined || outBytes === undefined ? '' : `${decimalSize(inBytes)} / ${decimalSize(outBytes)}`;
}

/** Empty where one of the two is not known. */
function percent(part: number | undefined, whole: number): string {
  return part === undefined || whole === 0 ? '' : `${((part / whole) * 100).toFixed(2)}%`;
}
