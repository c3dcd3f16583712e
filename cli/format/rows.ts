/** Lists as a person reads them. */
import { formatCpu, formatMemory } from '#model/quantity.ts';
import { messagesOf } from '#model/event.ts';
import type { ClusterEvent } from '#model/event.ts';
import { splitServiceId } from '#model/ids.ts';
import { printable } from '#model/printable.ts';
import { isFinished } from '#model/task.ts';
import type { ClusterView, NodeView, PendingSlot, ServiceView, TaskView } from '#model/ports.ts';
import type { AutoscaleSpec } from '#model/service.ts';
import { formatAge, formatTime } from './age.ts';
import { describeTimes } from './crons.ts';
import { decimalSize } from './docker-units.ts';
import { appState, nodeStateWords, servicesOfApp } from './items.ts';
import type { Table } from './table.ts';

/** @param tasks  at least those of the nodes */
export function nodeTable(nodes: readonly NodeView[], tasks: readonly TaskView[], nowMs: number, isWide: boolean): Table {
  return {
    head: ['NAME', 'STATE', 'ADDRESS', 'CPU', 'MEMORY', 'TAINTS', 'VERSION', ...(isWide ? ['TASKS', 'SEEN', 'RUNTIMES', 'SNAPSHOTTER', 'AGE', 'LABELS', 'FAULT'] : [])],
    rows: nodes.map(view => [
      view.node.id, nodeStateWords(view, tasks), view.node.address,
      `${formatCpu(view.ledger.requests.milliCpu)}/${formatCpu(view.node.capacity.milliCpu)}`,
      `${formatMemory(view.ledger.requests.memoryBytes)}/${formatMemory(view.node.capacity.memoryBytes)}`,
      view.node.taints.join(','), view.node.agentVersion, ...(isWide ? wideNode(view, tasks, nowMs) : []),
    ]),
  };
}

function wideNode({ node, lastSeenMs }: NodeView, tasks: readonly TaskView[], nowMs: number): readonly string[] {
  const running = tasks.filter(({ task, status }) => task.node === node.id && !isFinished(status?.phase ?? 'pending')).length;
  return [
    String(running), lastSeenMs === undefined ? '' : formatAge(lastSeenMs, nowMs), node.runtimes.join(','), node.snapshotter, formatAge(node.createdAtMs, nowMs),
    [...node.labels].map(([name, value]) => `${name}=${value}`).toSorted().join(','), printable(node.networkFault),
  ];
}

export function serviceTable(services: readonly ServiceView[], nowMs: number, isWide: boolean): Table {
  return {
    head: ['NAMESPACE', 'NAME', 'KIND', 'RUNNING', 'HEALTHY', 'REVISION', 'IMAGE', 'PORTS', 'ROLLOUT', 'AGE', ...(isWide ? ['SCALES', 'VIRTUAL IP', 'DIGEST'] : [])],
    rows: services.map(view => serviceRow(view, nowMs, isWide)),
  };
}

function serviceRow(view: ServiceView, nowMs: number, isWide: boolean): Table['rows'][number] {
  const { service, running, healthy, wanted } = view;
  return [
      service.namespace, `${service.app}/${service.name}`, service.spec.kind, `${String(running)}/${String(wanted)}`, String(healthy), String(service.revision),
      service.spec.container.image, formatPorts(service.spec.container.ports), describeTimes(view, nowMs) ?? rolloutWord(view), formatAge(service.createdAtMs, nowMs),
      ...(isWide ? [formatScale(service.spec.autoscale), service.virtualIp, service.spec.container.digest ?? ''] : []),
  ];
}

/** A job that has come to its end does nothing more. */
function rolloutWord({ service, status }: ServiceView): string {
  const state = status?.rollout.state ?? 'progressing';
  return service.spec.kind === 'job' && state === 'settled' ? 'complete' : state;
}

/** `2 to 20` for a service that scales by itself. */
function formatScale(autoscale: AutoscaleSpec | undefined): string {
  return autoscale === undefined ? '' : `${String(autoscale.min)} to ${String(autoscale.max)}`;
}

export interface TaskRows {
  readonly tasks: readonly TaskView[];
  readonly pending: readonly PendingSlot[];
  /** Services that have no task now and say when they will. */
  readonly crons?: readonly ServiceView[];
}

export interface TaskColumns {
  readonly isWide?: boolean;
  /** Of all namespaces: it stands first then, as kubectl's. */
  readonly isOfAll?: boolean;
}

export function taskTable({ tasks, pending, crons = [] }: TaskRows, nowMs: number, { isWide = false, isOfAll = false }: TaskColumns = {}): Table {
  const row = (namespace: string, short: readonly string[], wide: readonly string[]): readonly string[] =>
    [...(isOfAll ? [namespace] : []), ...short, ...(isWide ? [...(isOfAll ? [] : [namespace]), ...wide] : [])];
  return {
    head: row('NAMESPACE', ['TASK', 'NAME', 'SERVICE', 'NODE', 'STATE', 'HEALTH', 'RESTARTS', 'ADDRESS', 'AGE', 'REASON'], ['IMAGE', 'PID', 'STARTED', 'PORTS']),
    rows: [
      ...tasks.map(view => row(view.task.namespace, taskRow(view, nowMs), wideTask(view, nowMs))),
      ...pending.map(({ service, slot, reason }) => {
        const { namespace, app, service: name } = splitServiceId(service);
        return row(namespace, ['', `${name}-${String(slot)}`, `${app}/${name}`, '', 'pending', '', '', '', '', reason], ['', '', '', '']);
      }),
      ...crons.map(view => row(view.service.namespace, [
        '', view.service.name, `${view.service.app}/${view.service.name}`, '', 'scheduled', '', '', '', formatAge(view.service.createdAtMs, nowMs), describeTimes(view, nowMs) ?? '',
      ], [view.service.spec.container.image, '', '', ''])),
    ],
  };
}

function taskRow({ task, status, state }: TaskView, nowMs: number): readonly string[] {
  return [
    task.id, task.name, `${task.app}/${task.service}`, task.node, state, status === undefined || status.health === 'none' ? '' : status.health,
    String(status?.restarts ?? 0), status?.address ?? '', formatAge(task.createdAtMs, nowMs), formatReason(status),
  ];
}

function wideTask({ task, status }: TaskView, nowMs: number): readonly string[] {
  const { container } = task;
  return [container.image, String(status?.pid ?? ''), status?.startedAtMs === undefined ? '' : `${formatAge(status.startedAtMs, nowMs)} ago`, formatPorts(container.ports)];
}

/** The table of tasks with a column more, before their reasons; `bytes` of its first rows, in their order. */
export function withSizes({ head, rows }: Table, bytes: readonly (number | undefined)[]): Table {
  const place = head.indexOf('REASON');
  return { head: head.toSpliced(place, 0, 'SIZE'), rows: rows.map((row, index) => row.toSpliced(place, 0, formatSize(bytes[index]))) };
}

function formatSize(bytes: number | undefined): string {
  return bytes === undefined ? '' : decimalSize(bytes);
}

export function appTable(view: ClusterView, nowMs: number, isWide = false): Table {
  return {
    head: ['NAMESPACE', 'NAME', 'REVISION', 'SERVICES', 'STATE', 'AGE', ...(isWide ? ['RUNNING', 'UPDATED', 'IMAGES'] : [])],
    rows: view.apps.map(app => {
      const services = servicesOfApp(app, view);
      const row = [app.namespace, app.name, String(app.revision), services.map(({ service }) => service.name).join(','), appState(app, services), formatAge(app.createdAtMs, nowMs)];
      return [...row, ...(isWide ? [runningOf(services), `${formatAge(app.updatedAtMs, nowMs)} ago`, [...new Set(services.map(({ service }) => service.spec.container.image))].join(',')] : [])];
    }),
  };
}

function runningOf(services: readonly ServiceView[]): string {
  const sum = (of: (service: ServiceView) => number): string => String(services.reduce((total, service) => total + of(service), 0));
  return `${sum(({ running }) => running)}/${sum(({ wanted }) => wanted)}`;
}

export function eventTable(events: readonly ClusterEvent[], nowMs: number): Table {
  return {
    head: ['SEEN', 'TYPE', 'OBJECT', 'REASON', 'COUNT', 'MESSAGE'],
    rows: events.flatMap(onePerMessage).toSorted((left, right) => left.lastAtMs - right.lastAtMs)
      .map(event => [formatAge(event.lastAtMs, nowMs), event.type, event.object, event.reason, String(event.count), event.message]),
  };
}

/** As if each of its messages were an event; the newest is whole in the event alone. */
function onePerMessage(event: ClusterEvent): readonly ClusterEvent[] {
  const messages = messagesOf(event);
  return messages.map((one, index) => ({ ...event, ...one, message: index === messages.length - 1 ? event.message : one.message }));
}

/** Events as they are followed, by when they were. */
export function eventLog(events: readonly ClusterEvent[]): Table {
  return {
    head: ['TIME', 'TYPE', 'OBJECT', 'REASON', 'COUNT', 'MESSAGE'],
    rows: events.map(event => [formatTime(event.lastAtMs) ?? '', event.type, event.object, event.reason, String(event.count), event.message]),
  };
}

export function formatPorts(ports: ServiceView['service']['spec']['container']['ports']): string {
  return ports.map(({ published, target, protocol, mode }) => {
    const from = published === undefined ? '' : `${String(published)}->`;
    return `${from}${String(target)}/${protocol}${mode === 'host' ? ' (host)' : ''}`;
  }).join(', ');
}

/** Why it is as it is, with the exit code of the last run. */
export function formatReason(status: TaskView['status']): string {
  if (status === undefined) {
    return '';
  }
  const exit = status.lastExit === undefined ? '' : ` (last exit ${status.lastExit.code === null ? 'unknown' : String(status.lastExit.code)})`;
  const reason = status.message === '' ? status.reason : `${status.reason === '' ? '' : `${status.reason}: `}${status.message}`;
  return reason === '' && exit === '' ? '' : `${reason}${exit}`.trim();
}
