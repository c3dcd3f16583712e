/** Debug containers: one of another image in the namespaces of a running one, for as long as somebody is at it. */
import type { ProcessIdentity } from '#kit/process-stat-parse.ts';
import { ClusterError } from '#model/errors.ts';
import type { ContainerSpec } from '#model/service.ts';
import type { DebugSpec } from '#model/tunnel.ts';
import type { ProcessStreams } from '../runtime/ports.ts';
import type { HeldImage, HeldImages } from '../image/held-images.ts';
import { clearContainer } from './container-flow.ts';
import { etcFiles } from './etc-files.ts';
import { debugContainerId } from './names.ts';
import type { TaskParts } from './ports.ts';
import type { TaskRecord } from './record.ts';

export interface DebugParts extends Pick<TaskParts, 'images' | 'snapshots' | 'bundles' | 'configs' | 'cgroups' | 'dns' | 'runtime'> {
  readonly debugImages: HeldImages;
}

/** Somebody who looks into a running container of a task. */
export interface DebugSession {
  readonly record: TaskRecord;
  readonly container: ProcessIdentity;
  readonly spec: DebugSpec;
  /** Has the streams until it returns; then nothing of the debug container is left. */
  readonly use: (streams: ProcessStreams) => Promise<void>;
}

/** A task's own limits are apart: a debugger that eats memory is ended, not the task. */
const LIMITS: ContainerSpec['limits'] = { milliCpu: 1_000, memoryBytes: 512 * 1024 * 1024, pids: 512 };
/** No scheduler placed them and no quota has them: so few that the node's reserve bears them. */
const MAX_OF_TASK = 2;
const MAX_OF_NODE = 8;
let sessions = 0;

/**
 * Runs `spec.command` (else the image's own) as root of the task's user namespace, in its network, with the processes and the IPC objects of
 * the container that is looked into; that one's files are at /proc/1/root.
 *
 * @throws ClusterError for an image that cannot be had or run, RESOURCE_EXHAUSTED for one debug container too many
 */
export async function withDebugContainer(session: DebugSession, parts: DebugParts, signal: AbortSignal): Promise<void> {
  const { record, spec } = session;
  const { slot } = record;
  if (spec.digest === undefined || slot === undefined) {
    throw new ClusterError('FAILED_PRECONDITION', slot === undefined ? `task ${record.task.id} has no network now` : `image ${spec.image} was sent without a digest`);
  }
  requirePlace(parts.debugImages.all(), record);
  sessions += 1;
  const id = debugContainerId(record.task.id, record.attempt, sessions);
  const task = { ...record.task, container: debugSpec(record.task.container, spec) };
  using _held = parts.debugImages.hold({ digest: spec.digest, task: task.id });
  const image = await parts.images.ensure({ image: spec.image, digest: spec.digest, namespace: task.namespace }, () => undefined, signal);
  try {
    const { rootfsPath } = await parts.snapshots.prepare(id, image.layers, { userNamespacePath: slot.userNamespacePath, hostBase: slot.hostBase }, signal);
    const user = await parts.configs.userOf(task, image.config, rootfsPath);
    const bundlePath = await parts.bundles.create(id, etcFiles(task, slot.address, parts.dns.resolvConf(task.namespace, task.app)), slot.hostBase);
    using joined = parts.configs.hold({ pid: session.container, ipc: session.container });
    const configJson = await parts.configs.configJson({
      task, image: image.config, rootfsPath, user, slot, deviceUnits: [], mounts: [], cgroupsPath: parts.cgroups.pathFor(id), bundlePath,
      joined: joined.paths, isDebugger: true,
    });
    await session.use(await parts.runtime.run({ id, runtime: task.container.runtime, bundlePath, configJson, tty: spec.tty, stdin: spec.stdin, ...(spec.size === undefined ? {} : { size: spec.size }) }, signal));
  } finally {
    await clearContainer(id, parts);
  }
}

/** @throws ClusterError RESOURCE_EXHAUSTED while as many debug containers run as may */
function requirePlace(held: readonly HeldImage[], { task }: TaskRecord): void {
  const ofTask = held.filter(one => one.task === task.id).length;
  if (ofTask >= MAX_OF_TASK || held.length >= MAX_OF_NODE) {
    const which = ofTask >= MAX_OF_TASK ? `task ${task.id} has ${String(ofTask)}` : `node ${task.node} has ${String(held.length)}`;
    throw new ClusterError('RESOURCE_EXHAUSTED', `debug: ${which} debug containers, as many as it may have; end one first`);
  }
}

/** Root with the baseline's rights, whatever the task has: it looks into others' processes. */
function debugSpec(main: ContainerSpec, spec: DebugSpec): ContainerSpec {
  const { entrypoint: _entrypoint, command: _command, workingDir: _workingDir, healthcheck: _healthcheck, consoleSize: _consoleSize, digest: _digest, ...rest } = main;
  return {
    ...rest,
    image: spec.image,
    ...(spec.digest === undefined ? {} : { digest: spec.digest }),
    ...(spec.command.length === 0 ? {} : { entrypoint: [], command: spec.command }),
    ...(spec.size === undefined ? {} : { consoleSize: spec.size }),
    environment: spec.environment,
    init: false, tty: spec.tty, stdin: spec.stdin,
    requests: { milliCpu: 50, memoryBytes: 32 * 1024 * 1024 }, limits: LIMITS,
    ports: [], configs: [], secrets: [], volumes: [], ulimits: [], sysctls: [],
    devices: [], deviceRequests: [],
    security: { profile: 'baseline', user: '0', readOnly: false, capAdd: [], capDrop: [], hostNamespaces: [], mayGainPrivileges: false, isUnconfined: false },
  };
}
