/** The fields that `--format` knows of tasks, images and nodes: docker's names where docker has the thing, and the cluster's own. */
import { splitServiceId } from '#model/ids.ts';
import type { ImageConfig } from '#model/node-images.ts';
import type { NodeView, PendingSlot, TaskView } from '#model/ports.ts';
import { formatCpu, formatMemory } from '#model/quantity.ts';
import type { ContainerSpec } from '#model/service.ts';
import { isFinished } from '#model/task.ts';
import type { ImageRow } from '../node-images.ts';
import { formatAge, formatTime } from './age.ts';
import { decimalSize } from './docker-units.ts';
import { formatSize, shortDigest } from './images.ts';
import { nodeStateWords } from './items.ts';
import { formatPorts, formatReason } from './rows.ts';
import type { Field, Fields } from './template.ts';

const field = <Row>(heading: string, of: (row: Row) => string): Field<Row> => ({ heading, of });

/** A task, or a slot that has none. */
export interface TaskFormatRow {
  readonly slot: { readonly task: TaskView } | { readonly pending: PendingSlot };
  /** Of its root file system, where that was counted. */
  readonly writableBytes?: number | undefined;
  /** What its image runs by itself, where that was asked. */
  readonly image?: Pick<ImageConfig, 'entrypoint' | 'command'> | undefined;
}

export function taskFields(nowMs: number): Fields<TaskFormatRow> {
  const task = (heading: string, of: (view: TaskView) => string, pending: (slot: PendingSlot) => string = () => '') =>
    field<TaskFormatRow>(heading, ({ slot }) => ('task' in slot ? of(slot.task) : pending(slot.pending)));
  const name = (part: 'namespace' | 'app' | 'service') => (slot: PendingSlot): string => splitServiceId(slot.service)[part];
  return {
    ID: task('TASK ID', view => view.task.id),
    Names: task('NAMES', view => view.task.name, slot => `${name('service')(slot)}-${String(slot.slot)}`),
    Image: task('IMAGE', view => view.task.container.image),
    Command: field('COMMAND', ({ slot, image }) => ('task' in slot ? JSON.stringify(commandOf(slot.task.task.container, image).join(' ')) : '')),
    CreatedAt: task('CREATED AT', view => formatTime(view.task.createdAtMs) ?? ''),
    RunningFor: task('CREATED', view => `${formatAge(view.task.createdAtMs, nowMs)} ago`),
    State: task('STATE', view => view.state, () => 'pending'),
    Status: task('STATUS', view => statusOf(view, nowMs), slot => `Pending: ${slot.reason}`),
    Ports: task('PORTS', view => formatPorts(view.task.container.ports)),
    Size: field('SIZE', ({ writableBytes }) => (writableBytes === undefined ? '' : decimalSize(writableBytes))),
    Namespace: task('NAMESPACE', view => view.task.namespace, name('namespace')),
    App: task('APP', view => view.task.app, name('app')),
    Service: task('SERVICE', view => view.task.service, name('service')),
    Slot: task('SLOT', view => String(view.task.slot), slot => String(slot.slot)),
    Node: task('NODE', view => view.task.node),
    Health: task('HEALTH', view => view.status?.health ?? 'none', () => 'none'),
    Restarts: task('RESTARTS', view => String(view.status?.restarts ?? 0), () => '0'),
    ExitCode: task('EXIT CODE', view => String(view.status?.lastExit?.code ?? '')),
    Address: task('ADDRESS', view => view.status?.address ?? ''),
    Digest: task('DIGEST', view => view.task.container.digest ?? ''),
    Reason: task('REASON', view => formatReason(view.status), slot => slot.reason),
  };
}

/** As the node composes it: an own entrypoint forgets the image's command. */
function commandOf(container: Pick<ContainerSpec, 'entrypoint' | 'command'>, image: TaskFormatRow['image']): readonly string[] {
  const { entrypoint = image?.entrypoint ?? [], command = container.entrypoint === undefined ? image?.command ?? [] : [] } = container;
  return [...entrypoint, ...command];
}

/** As docker's: `Up 3m (healthy)`, `Exited (137) 2h ago`; other states by their names. */
function statusOf({ status, state }: TaskView, nowMs: number): string {
  if (state === 'running' && status?.startedAtMs !== undefined) {
    return `Up ${formatAge(status.startedAtMs, nowMs)}${status.health === 'none' ? '' : ` (${status.health})`}`;
  }
  if (status !== undefined && isFinished(status.phase) && status.lastExit !== undefined) {
    return `Exited (${String(status.lastExit.code ?? 'unknown')}) ${formatAge(status.lastExit.finishedAtMs, nowMs)} ago`;
  }
  return `${state.charAt(0).toUpperCase()}${state.slice(1)}`;
}

/** One name of an image; an image without one has a row too. */
export interface ImageFormatRow {
  readonly image: ImageRow;
  readonly name: string;
}

const NONE = '<none>';

export function imageFields(nowMs: number): Fields<ImageFormatRow> {
  const image = (heading: string, of: (row: ImageRow) => string) => field<ImageFormatRow>(heading, row => of(row.image));
  const used = (row: ImageRow): number => Math.max(...row.nodes.map(({ usedAtMs }) => usedAtMs));
  const pulled = (row: ImageRow): number => Math.min(...row.nodes.map(({ pulledAtMs }) => pulledAtMs));
  return {
    ID: image('IMAGE ID', row => shortDigest(row.digest)),
    Repository: field('REPOSITORY', ({ name }) => splitTag(name)[0]),
    Tag: field('TAG', ({ name }) => splitTag(name)[1]),
    Digest: image('DIGEST', row => row.digest),
    Size: image('SIZE', row => formatSize(row.sizeBytes)),
    Containers: image('CONTAINERS', row => String(row.nodes.reduce((sum, { tasks }) => sum + tasks.length, 0))),
    Layers: image('LAYERS', row => String(row.layers.length)),
    Nodes: image('NODES', row => row.nodes.map(({ node }) => node).join(',')),
    PulledAt: image('PULLED AT', row => formatTime(pulled(row)) ?? ''),
    PulledSince: image('PULLED', row => `${formatAge(pulled(row), nowMs)} ago`),
    UsedAt: image('USED AT', row => formatTime(used(row)) ?? ''),
    UsedSince: image('USED', row => `${formatAge(used(row), nowMs)} ago`),
  };
}

/** As docker lists them: one row a name. */
export function imageFormatRows(rows: readonly ImageRow[]): readonly ImageFormatRow[] {
  return rows.flatMap(image => (image.names.length === 0 ? [''] : image.names).map(name => ({ image, name })));
}

function splitTag(name: string): readonly [string, string] {
  const colon = name.lastIndexOf(':');
  if (name === '') {
    return [NONE, NONE];
  }
  return colon > name.lastIndexOf('/') ? [name.slice(0, colon), name.slice(colon + 1)] : [name, NONE];
}

/** A node, and at least the tasks that are on it. */
export interface NodeFormatRow {
  readonly node: NodeView;
  readonly tasks: readonly TaskView[];
}

export function nodeFields(nowMs: number): Fields<NodeFormatRow> {
  const node = (heading: string, of: (view: NodeView) => string) => field<NodeFormatRow>(heading, row => of(row.node));
  return {
    ID: node('ID', view => view.node.id),
    Hostname: node('HOSTNAME', view => view.node.id),
    Status: field('STATUS', ({ node: view, tasks }) => nodeStateWords(view, tasks)),
    Availability: node('AVAILABILITY', view => view.node.availability),
    EngineVersion: node('ENGINE VERSION', view => view.node.agentVersion),
    Address: node('ADDRESS', view => view.node.address),
    CPU: node('CPU', view => `${formatCpu(view.ledger.requests.milliCpu)}/${formatCpu(view.node.capacity.milliCpu)}`),
    Memory: node('MEMORY', view => `${formatMemory(view.ledger.requests.memoryBytes)}/${formatMemory(view.node.capacity.memoryBytes)}`),
    Tasks: field('TASKS', ({ node: view, tasks }) => String(tasks.filter(({ task, status }) => task.node === view.node.id && !isFinished(status?.phase ?? 'pending')).length)),
    Labels: node('LABELS', view => [...view.node.labels].map(([name, value]) => `${name}=${value}`).toSorted().join(',')),
    Taints: node('TAINTS', view => view.node.taints.join(',')),
    CreatedAt: node('CREATED AT', view => formatTime(view.node.createdAtMs) ?? ''),
    Seen: node('SEEN', ({ lastSeenMs }) => (lastSeenMs === undefined ? '' : `${formatAge(lastSeenMs, nowMs)} ago`)),
  };
}
