/** Lists as a person reads them. */
import { formatCpu, formatMemory } from '#model/quantity.ts';
import type { ClusterEvent } from '#model/event.ts';
import { splitServiceId } from '#model/ids.ts';
import type { ClusterView, NodeView, PendingSlot, ServiceView, TaskView } from '#model/ports.ts';
import type { AutoscaleSpec } from '#model/service.ts';
import { formatAge } from './age.ts';
import { describeTimes } from './crons.ts';
import { decimalSize } from './docker-units.ts';
import { appState, nodeState, servicesOfApp } from './items.ts';
import type { Table } from './table.ts';

export function nodeTable(nodes: readonly NodeView[]): Table {
  return {
    head: ['NAME', 'STATE', 'ADDRESS', 'CPU', 'MEMORY', 'TAINTS', 'VERSION'],
    rows: nodes.map(view => [
      view.node.id, nodeState(view), view.node.address,
      `${formatCpu(view.ledger.requests.milliCpu)}/${formatCpu(view.node.capacity.milliCpu)}`,
      `${formatMemory(view.ledger.requests.memoryBytes)}/${formatMemory(view.node.capacity.memoryBytes)}`,
      view.node.taints.join(','), view.node.agentVersion,
    ]),
  };
}

export function serviceTable(services: readonly ServiceView[], nowMs: number, isWide: boolean): Table {
  return {
    head: ['NAMESPACE', 'NAME', 'KIND', 'RUNNING', 'HEALTHY', 'REVISION', 'IMAGE', 'PORTS', 'ROLLOUT', 'AGE', ...(isWide ? ['SCALES', 'VIRTUAL IP', 'DIGEST'] : [])],
    rows: services.map(view => serviceRow(view, nowMs, isWide)),
  };
}

function serviceRow(view: ServiceView, nowMs: number, isWide: boolean): Table['rows'][number] {
  const { service, status, running, healthy, wanted } = view;
  return [
      service.namespace, `${service.app}/${service.name}`, service.spec.kind, `${String(running)}/${String(wanted)}`, String(healthy), String(service.revision),
      service.spec.container.image, formatPorts(service.spec.container.ports), describeTimes(view, nowMs) ?? status?.rollout.state ?? 'progressing', formatAge(service.createdAtMs, nowMs),
      ...(isWide ? [formatScale(service.spec.autoscale), service.virtualIp, service.spec.container.digest ?? ''] : []),
  ];
}

/** `2 to 20` for a service that scales by itself. */
function formatScale(autoscale: AutoscaleSpec | undefined): string {
  return autoscale === undefined ? '' : `${String(autoscale.min)} to ${String(autoscale.max)}`;
}

/** `crons`: services that have no task now and say when they will. */
export function taskTable(tasks: readonly TaskView[], pending: readonly PendingSlot[], nowMs: number, crons: readonly ServiceView[] = []): Table {
  return {
    head: ['TASK', 'NAME', 'SERVICE', 'NODE', 'STATE', 'HEALTH', 'RESTARTS', 'ADDRESS', 'AGE', 'REASON'],
    rows: [
      ...tasks.map(({ task, status, state }) => [
        task.id, task.name, `${task.app}/${task.service}`, task.node, state, status === undefined || status.health === 'none' ? '' : status.health,
        String(status?.restarts ?? 0), status?.address ?? '', formatAge(task.createdAtMs, nowMs), formatReason(status),
      ]),
      ...pending.map(({ service, slot, reason }) => {
        const { app, service: name } = splitServiceId(service);
        return ['', `${name}-${String(slot)}`, `${app}/${name}`, '', 'pending', '', '', '', '', reason];
      }),
      ...crons.map(view => ['', view.service.name, `${view.service.app}/${view.service.name}`, '', 'scheduled', '', '', '', formatAge(view.service.createdAtMs, nowMs), describeTimes(view, nowMs) ?? '']),
    ],
  };
}

/** The table of tasks with a column more, before their reasons; `bytes` of its first rows, in their order. */
export function withSizes({ head, rows }: Table, bytes: readonly (number | undefined)[]): Table {
  const place = head.indexOf('REASON');
  return { head: head.toSpliced(place, 0, 'SIZE'), rows: rows.map((row, index) => row.toSpliced(place, 0, formatSize(bytes[index]))) };
}

function formatSize(bytes: number | undefined): string {
  return bytes === undefined ? '' : decimalSize(bytes);
}

export function appTable(view: ClusterView, nowMs: number): Table {
  return {
    head: ['NAMESPACE', 'NAME', 'REVISION', 'SERVICES', 'STATE', 'AGE'],
    rows: view.apps.map(app => {
      const services = servicesOfApp(app, view);
      return [app.namespace, app.name, String(app.revision), services.map(({ service }) => service.name).join(','), appState(app, services), formatAge(app.createdAtMs, nowMs)];
    }),
  };
}

export function eventTable(events: readonly ClusterEvent[], nowMs: number): Table {
  return {
    head: ['SEEN', 'TYPE', 'OBJECT', 'REASON', 'COUNT', 'MESSAGE'],
    rows: events.map(event => [formatAge(event.lastAtMs, nowMs), event.type, event.object, event.reason, String(event.count), event.message]),
  };
}

export function formatPorts(ports: ServiceView['service']['spec']['container']['ports']): string {
  return ports.map(({ published, target, protocol, mode }) => {
    const from = published === undefined ? '' : `${String(published)}->`;
    return `${from}${String(target)}/${protocol}${mode === 'host' ? ' (host)' : ''}`;
  }).join(', ');
}

function formatReason(status: TaskView['status']): string {
  if (status === undefined) {
    return '';
  }
  const exit = status.lastExit === undefined ? '' : ` (last exit ${status.lastExit.code === null ? 'unknown' : String(status.lastExit.code)})`;
  const reason = status.message === '' ? status.reason : `${status.reason === '' ? '' : `${status.reason}: `}${status.message}`;
  return reason === '' && exit === '' ? '' : `${reason}${exit}`.trim();
}
