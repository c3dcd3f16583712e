import type * as wire from '#gen/gantry/v1/types.ts';
import {
  CronConcurrency, DependencyCondition, PlacementOperator, PlacementPolicy as WirePolicy, PromoteMode as WirePromote, RolloutState, ServiceKind as WireKind,
  UpdateFailureAction, UpdateStrategy,
} from '#gen/gantry/v1/types.ts';
import type { Service, ServiceStatus, VolumeSpec } from '#model/app.ts';
import { parseNodeId, parseServiceId, parseTaskId, serviceId } from '#model/ids.ts';
import type {
  CronSpec, Dependency, DisconnectSpec, PlacementPolicy, PlacementRule, PlacementSpec, PromoteMode, ServiceKind, ServiceSpec, UpdateSpec,
} from '#model/service.ts';
import { companionsCodec, containerCodec } from './container-codec.ts';
import type { Codec } from './wire.ts';
import { enumCodec, optional, present, required, surrounded, unknownCase, unknownFieldsOf, withUnderstanding } from './wire.ts';
import type { Surrounded, UnknownFields } from './wire.ts';

export const serviceKindCodec = enumCodec<ServiceKind, WireKind>('service kind', {
  service: WireKind.SERVICE_KIND_SERVICE,
  global: WireKind.SERVICE_KIND_GLOBAL,
  stateful: WireKind.SERVICE_KIND_STATEFUL,
  job: WireKind.SERVICE_KIND_JOB,
  cron: WireKind.SERVICE_KIND_CRON,
});

const operatorCodec = enumCodec<PlacementRule['operator'], PlacementOperator>('placement operator', {
  '==': PlacementOperator.PLACEMENT_OPERATOR_EQUAL,
  '!=': PlacementOperator.PLACEMENT_OPERATOR_NOT_EQUAL,
  'in': PlacementOperator.PLACEMENT_OPERATOR_IN,
  'not-in': PlacementOperator.PLACEMENT_OPERATOR_NOT_IN,
  'exists': PlacementOperator.PLACEMENT_OPERATOR_EXISTS,
  'not-exists': PlacementOperator.PLACEMENT_OPERATOR_NOT_EXISTS,
  '>': PlacementOperator.PLACEMENT_OPERATOR_GREATER,
  '<': PlacementOperator.PLACEMENT_OPERATOR_LESS,
});

const strategyCodec = enumCodec<UpdateSpec['strategy'], UpdateStrategy>('update strategy', {
  rolling: UpdateStrategy.UPDATE_STRATEGY_ROLLING, recreate: UpdateStrategy.UPDATE_STRATEGY_RECREATE,
  canary: UpdateStrategy.UPDATE_STRATEGY_CANARY, blue_green: UpdateStrategy.UPDATE_STRATEGY_BLUE_GREEN,
});

const promoteCodec = enumCodec<PromoteMode, WirePromote>('promote mode', { auto: WirePromote.PROMOTE_MODE_AUTO, manual: WirePromote.PROMOTE_MODE_MANUAL });

const failureActionCodec = enumCodec<UpdateSpec['onFailure'], UpdateFailureAction>('update failure action', {
  rollback: UpdateFailureAction.UPDATE_FAILURE_ACTION_ROLLBACK, pause: UpdateFailureAction.UPDATE_FAILURE_ACTION_PAUSE,
});

const concurrencyCodec = enumCodec<CronSpec['concurrency'], CronConcurrency>('cron concurrency', {
  allow: CronConcurrency.CRON_CONCURRENCY_ALLOW, forbid: CronConcurrency.CRON_CONCURRENCY_FORBID, replace: CronConcurrency.CRON_CONCURRENCY_REPLACE,
});

const policyCodec = enumCodec<PlacementPolicy, WirePolicy>('placement policy', {
  spread: WirePolicy.PLACEMENT_POLICY_SPREAD, binpack: WirePolicy.PLACEMENT_POLICY_BINPACK,
});

const conditionCodec = enumCodec<Dependency['condition'], DependencyCondition>('dependency condition', {
  service_started: DependencyCondition.DEPENDENCY_CONDITION_SERVICE_STARTED,
  service_healthy: DependencyCondition.DEPENDENCY_CONDITION_SERVICE_HEALTHY,
  service_completed_successfully: DependencyCondition.DEPENDENCY_CONDITION_SERVICE_COMPLETED_SUCCESSFULLY,
});

const rolloutStateCodec = enumCodec<ServiceStatus['rollout']['state'], RolloutState>('rollout state', {
  settled: RolloutState.ROLLOUT_STATE_SETTLED,
  progressing: RolloutState.ROLLOUT_STATE_PROGRESSING,
  waiting: RolloutState.ROLLOUT_STATE_WAITING,
  rolled_back: RolloutState.ROLLOUT_STATE_ROLLED_BACK,
  failed: RolloutState.ROLLOUT_STATE_FAILED,
  paused: RolloutState.ROLLOUT_STATE_PAUSED,
  awaiting_promotion: RolloutState.ROLLOUT_STATE_AWAITING_PROMOTION,
});

export const serviceSpecCodec: Codec<ServiceSpec, wire.ServiceSpec> = {
  toWire: spec => ({
    ...spec,
    kind: serviceKindCodec.toWire(spec.kind),
    placement: placementToWire(spec.placement),
    update: updateToWire(spec.update),
    dependsOn: spec.dependsOn.map(one => ({ ...one, condition: conditionCodec.toWire(one.condition) })),
    onDisconnect: disconnectToWire(spec.onDisconnect),
    cron: optional(spec.cron, cron => ({ ...cron, concurrency: concurrencyCodec.toWire(cron.concurrency) })),
    container: containerCodec.toWire(spec.container),
    companions: companionsCodec.toWire(spec.companions),
  }),
  fromWire: spec => present({
    ...spec,
    kind: serviceKindCodec.fromWire(spec.kind),
    placement: placementFromWire(required(spec.placement, 'service.placement')),
    update: updateFromWire(required(spec.update, 'service.update')),
    dependsOn: spec.dependsOn.map(one => ({ ...one, condition: conditionCodec.fromWire(one.condition) })),
    onDisconnect: disconnectFromWire(spec.onDisconnect),
    job: optional(spec.job, present),
    cron: optional(spec.cron, cron => present({ ...cron, concurrency: concurrencyCodec.fromWire(cron.concurrency) })),
    autoscale: optional(spec.autoscale, present),
    container: containerCodec.fromWire(required(spec.container, 'service.container')),
    companions: companionsCodec.fromWire(spec.companions),
  }),
};

export const volumeSpecCodec: Codec<VolumeSpec, wire.VolumeSpec> = { toWire: volume => volume, fromWire: present };

export const serviceCodec = withUnderstanding<Service, wire.Service>({
  toWire: service => ({ ...service, spec: serviceSpecCodec.toWire(service.spec) }),
  fromWire: service => present({
    ...service,
    id: parseServiceId(serviceId(service.namespace, service.app, service.name)),
    spec: serviceSpecCodec.fromWire(required(service.spec, 'service.spec')),
    pins: required(service.pins, 'service.pins'),
    volumes: service.volumes.map(volumeSpecCodec.fromWire),
  }),
});

export const serviceStatusCodec: Codec<ServiceStatus, wire.ServiceStatus> = {
  toWire: status => ({ ...status, planned: status.planned ?? [], earlierJobs: status.earlierJobs ?? [], rollout: { ...status.rollout, state: rolloutStateCodec.toWire(status.rollout.state) } }),
  fromWire: status => {
    const rollout = required(status.rollout, 'service status.rollout');
    return present({
      ...status,
      id: parseServiceId(status.id),
      pending: status.pending.map(one => present({ ...one, node: optional(one.node, parseNodeId) })),
      rollout: present({ ...rollout, state: rolloutStateCodec.fromWire(rollout.state) }),
      crashLoops: status.crashLoops.map(loop => ({ ...loop, task: parseTaskId(loop.task) })),
      cron: optional(status.cron, present),
      autoscale: optional(status.autoscale, present),
      earlierJobs: status.earlierJobs.length === 0 ? undefined : status.earlierJobs,
      planned: status.planned.length === 0 ? undefined : status.planned.map(one => ({ ...one, node: parseNodeId(one.node) })),
    });
  },
};

function ruleToWire(rule: PlacementRule): wire.PlacementRule {
  return { ...rule, operator: operatorCodec.toWire(rule.operator) };
}

function ruleFromWire(rule: wire.PlacementRule): PlacementRule {
  return { ...rule, operator: operatorCodec.fromWire(rule.operator) };
}

function placementToWire(placement: PlacementSpec): wire.PlacementSpec {
  return {
    ...placement,
    require: placement.require.map(ruleToWire),
    prefer: placement.prefer.map(one => ({ ...one, rule: ruleToWire(one.rule) })),
    policy: optional(placement.policy, policyCodec.toWire),
  };
}

function placementFromWire(placement: wire.PlacementSpec): PlacementSpec {
  return present({
    ...placement,
    require: placement.require.map(ruleFromWire),
    prefer: placement.prefer.map(one => ({ ...one, rule: ruleFromWire(required(one.rule, 'prefer.rule')) })),
    affinity: placement.affinity.map(present),
    avoid: placement.avoid.map(present),
    policy: optional(placement.policy, policyCodec.fromWire),
  });
}

function updateToWire(update: UpdateSpec): wire.UpdateSpec {
  return {
    ...update, strategy: strategyCodec.toWire(update.strategy), onFailure: failureActionCodec.toWire(update.onFailure),
    stepPercents: update.stepPercents ?? [], promote: optional(update.promote, promoteCodec.toWire),
  };
}

function updateFromWire(update: wire.UpdateSpec): UpdateSpec {
  const { stepPercents, promote, progressDeadlineMs, ...rest } = update;
  return {
    ...rest, strategy: strategyCodec.fromWire(update.strategy), onFailure: failureActionCodec.fromWire(update.onFailure),
    ...(stepPercents.length === 0 ? {} : { stepPercents }), ...(promote === undefined ? {} : { promote: promoteCodec.fromWire(promote) }),
    ...(progressDeadlineMs === undefined ? {} : { progressDeadlineMs }),
  };
}

function disconnectToWire(disconnect: DisconnectSpec): wire.DisconnectSpec {
  const { $around, ...spec } = disconnect as Surrounded<DisconnectSpec>;
  return { ...$around, rule: ruleCaseToWire(spec) };
}

function ruleCaseToWire(spec: DisconnectSpec): wire.DisconnectSpec['rule'] {
  switch (spec.kind) {
    case 'replace': return { $case: 'replace', value: spec };
    case 'hold': return { $case: 'hold', value: unknownFieldsOf(spec as UnknownFields) };
    case 'exclusive': return { $case: 'hold', value: spec };
    default: return undefined;
  }
}

function disconnectFromWire(message: wire.DisconnectSpec | undefined): DisconnectSpec {
  const spec = required(message, 'service.onDisconnect');
  return surrounded(spec, ruleCaseFromWire(spec));
}

function ruleCaseFromWire(spec: wire.DisconnectSpec): DisconnectSpec {
  switch (spec.rule?.$case) {
    case undefined: return unknownCase('service.onDisconnect', spec);
    case 'replace': return { kind: 'replace', ...spec.rule.value };
    case 'hold': return heldFromWire(spec.rule.value);
  }
}

function heldFromWire({ stopAfterMs, replaceAfterMs, ...rest }: wire.DisconnectSpec_Hold): DisconnectSpec {
  return stopAfterMs === undefined || replaceAfterMs === undefined ? { kind: 'hold', ...rest } : { kind: 'exclusive', stopAfterMs, replaceAfterMs, ...rest };
}
