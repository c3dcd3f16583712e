import type * as wire from '#gen/gantry/v1/types.ts';
import { CompanionState, DesiredState, Health as WireHealth, Phase as WirePhase } from '#gen/gantry/v1/types.ts';
import { parseNodeId, parseServiceId, parseTaskId, serviceId } from '#model/ids.ts';
import type { CompanionStatus, Health, Phase, Task, TaskExit, TaskStatus } from '#model/task.ts';
import { companionsCodec, containerCodec, taskResourcesCodec } from './container-codec.ts';
import { serviceKindCodec, volumeSpecCodec } from './service-codec.ts';
import type { Codec } from './wire.ts';
import { enumCodec, optional, present, required, withUnderstanding } from './wire.ts';

const desiredCodec = enumCodec<Task['desired'], DesiredState>('desired state', {
  run: DesiredState.DESIRED_STATE_RUN, stop: DesiredState.DESIRED_STATE_STOP,
});

const phaseCodec = enumCodec<Phase, WirePhase>('phase', {
  pending: WirePhase.PHASE_PENDING,
  assigned: WirePhase.PHASE_ASSIGNED,
  pulling: WirePhase.PHASE_PULLING,
  preparing: WirePhase.PHASE_PREPARING,
  starting: WirePhase.PHASE_STARTING,
  running: WirePhase.PHASE_RUNNING,
  stopping: WirePhase.PHASE_STOPPING,
  complete: WirePhase.PHASE_COMPLETE,
  failed: WirePhase.PHASE_FAILED,
});

const healthCodec = enumCodec<Health, WireHealth>('health', {
  none: WireHealth.HEALTH_NONE,
  starting: WireHealth.HEALTH_STARTING,
  healthy: WireHealth.HEALTH_HEALTHY,
  unhealthy: WireHealth.HEALTH_UNHEALTHY,
});

const companionStateCodec = enumCodec<CompanionStatus['state'], CompanionState>('companion state', {
  waiting: CompanionState.COMPANION_STATE_WAITING,
  running: CompanionState.COMPANION_STATE_RUNNING,
  ended: CompanionState.COMPANION_STATE_ENDED,
});

const companionStatusCodec: Codec<CompanionStatus, wire.CompanionStatus> = {
  toWire: companion => ({ ...companion, state: companionStateCodec.toWire(companion.state), lastExit: optional(companion.lastExit, exitToWire) }),
  fromWire: companion => present({ ...companion, state: companionStateCodec.fromWire(companion.state), lastExit: optional(companion.lastExit, exitFromWire) }),
};

export const taskCodec = withUnderstanding<Task, wire.Task>({
  toWire: task => ({
    ...task,
    kind: serviceKindCodec.toWire(task.kind),
    container: containerCodec.toWire(task.container),
    companions: companionsCodec.toWire(task.companions),
    deviceUnits: task.deviceUnits ?? [],
    desired: desiredCodec.toWire(task.desired),
  }),
  fromWire: task => present({
    ...task,
    id: parseTaskId(task.id),
    serviceId: parseServiceId(serviceId(task.namespace, task.app, task.service)),
    kind: serviceKindCodec.fromWire(task.kind),
    node: parseNodeId(task.node),
    container: containerCodec.fromWire(required(task.container, 'task.container')),
    companions: companionsCodec.fromWire(task.companions),
    deviceUnits: task.deviceUnits.length === 0 ? undefined : task.deviceUnits,
    pins: required(task.pins, 'task.pins'),
    volumes: task.volumes.map(volumeSpecCodec.fromWire),
    desired: desiredCodec.fromWire(task.desired),
    moveTo: optional(task.moveTo, parseNodeId),
  }),
});

export const taskStatusCodec: Codec<TaskStatus, wire.TaskStatus> = {
  toWire: status => ({
    ...status,
    phase: phaseCodec.toWire(status.phase),
    health: healthCodec.toWire(status.health),
    lastExit: optional(status.lastExit, exitToWire),
    companions: (status.companions ?? []).map(companionStatusCodec.toWire),
    resources: optional(status.resources, taskResourcesCodec.toWire),
  }),
  fromWire: status => present({
    ...status,
    id: parseTaskId(status.id),
    node: parseNodeId(status.node),
    phase: phaseCodec.fromWire(status.phase),
    health: healthCodec.fromWire(status.health),
    lastExit: optional(status.lastExit, exitFromWire),
    companions: status.companions.length === 0 ? undefined : status.companions.map(companionStatusCodec.fromWire),
    resources: optional(status.resources, taskResourcesCodec.fromWire),
  }),
};

function exitToWire(exit: TaskExit): wire.TaskExit {
  return { ...exit, code: exit.code ?? undefined, hadChildOom: exit.hadChildOom ?? false };
}

function exitFromWire({ hadChildOom, ...exit }: wire.TaskExit): TaskExit {
  return { ...exit, code: exit.code ?? null, ...(hadChildOom ? { hadChildOom } : {}) };
}
