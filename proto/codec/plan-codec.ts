/** What plan and why ask and answer. */
import type * as wire from '#gen/gantry/v1/control.ts';
import { PlannedKind } from '#gen/gantry/v1/control.ts';
import type * as stored from '#gen/gantry/v1/stored.ts';
import type { AddedNode, ClusterPlan, Fix, FixEdit, NodePicture, PlannedTask, RuleReason, UnplacedService, WhyAnswer } from '#model/cluster-plan.ts';
import { parseAppId, parseNodeId, parseServiceId, parseTaskId } from '#model/ids.ts';
import type { PlanRequest, WhyRequest } from '#model/ports.ts';
import type { PlanRecord } from '#model/records.ts';
import { appSpecCodec } from './app-codec.ts';
import type { Codec } from './wire.ts';
import { enumCodec, optional, present, required, WireError } from './wire.ts';

const kindCodec = enumCodec<PlannedTask['kind'], PlannedKind>('planned kind', {
  start: PlannedKind.PLANNED_KIND_START,
  stop: PlannedKind.PLANNED_KIND_STOP,
  move: PlannedKind.PLANNED_KIND_MOVE,
  replace: PlannedKind.PLANNED_KIND_REPLACE,
  keep: PlannedKind.PLANNED_KIND_KEEP,
});

export const planRequestCodec: Codec<PlanRequest, wire.PlanRequest> = {
  toWire: request => ({ ...request, apps: request.apps.map(appSpecCodec.toWire), addedNodes: request.addedNodes.map(addedNodeToWire) }),
  fromWire: request => present({
    ...request, apps: request.apps.map(appSpecCodec.fromWire), withoutNodes: request.withoutNodes.map(parseNodeId),
    addedNodes: request.addedNodes.map(addedNodeFromWire), undo: optional(request.undo, present),
  }),
};

function addedNodeToWire(node: AddedNode): wire.AddedNode {
  return { ...node, labels: new Map(node.labels) };
}

function addedNodeFromWire(node: wire.AddedNode): AddedNode {
  return { ...node, name: parseNodeId(node.name), capacity: present(required(node.capacity, 'added node.capacity')), devices: node.devices.map(present) };
}

export const clusterPlanCodec: Codec<ClusterPlan, wire.PlanResponse> = {
  toWire: plan => ({
    ...plan,
    actions: plan.actions.map(action => ({ ...action, kind: kindCodec.toWire(action.kind) })),
    unplaced: plan.unplaced.map(one => ({ ...one, fix: optional(one.fix, fixToWire) })),
  }),
  fromWire: plan => present({
    ...plan,
    actions: plan.actions.map(plannedTaskFromWire),
    unplaced: plan.unplaced.map(unplacedFromWire),
    changes: plan.changes.map(change => present({ ...change, service: parseServiceId(change.service) })),
    nodes: plan.nodes.map(nodePictureFromWire),
  }),
};

function plannedTaskFromWire(action: wire.PlannedTask): PlannedTask {
  return present({
    ...action, kind: kindCodec.fromWire(action.kind), service: parseServiceId(action.service), task: optional(action.task, parseTaskId),
    node: parseNodeId(action.node), fromNode: optional(action.fromNode, parseNodeId),
  });
}

function unplacedFromWire(one: wire.UnplacedService): UnplacedService {
  return present({ ...one, service: parseServiceId(one.service), reasons: one.reasons.map(reasonFromWire), fix: optional(one.fix, fixFromWire) });
}

function reasonFromWire(reason: wire.RuleReason): RuleReason {
  return { ...reason, nodes: reason.nodes.map(parseNodeId) };
}

function nodePictureFromWire(node: wire.NodePicture): NodePicture {
  return {
    node: parseNodeId(node.node), capacity: present(required(node.capacity, 'node.capacity')), before: present(required(node.before, 'node.before')),
    after: present(required(node.after, 'node.after')),
  };
}

function fixToWire({ sentence, edit, command }: Fix): wire.Fix {
  const { kind, ...value } = edit;
  return { sentence, edit: { $case: kind, value } as NonNullable<wire.Fix['edit']>, command };
}

function fixFromWire({ sentence, edit, command }: wire.Fix): Fix {
  return present({ sentence, edit: editFromWire(edit), command });
}

function editFromWire(edit: wire.Fix['edit']): FixEdit {
  switch (edit?.$case) {
    case undefined: throw new WireError('fix.edit is missing');
    case 'field': return { kind: 'field', ...edit.value };
    case 'node': return { kind: 'node', ...edit.value };
  }
}

export const whyRequestCodec: Codec<WhyRequest, wire.WhyRequest> = {
  toWire: ({ target, node }) => ({ target: target.kind === 'service' ? { $case: 'service', value: target.service } : { $case: 'task', value: target.task }, node }),
  fromWire: ({ target, node }) => present({ target: targetFromWire(target), node: optional(node, parseNodeId) }),
};

function targetFromWire(target: wire.WhyRequest['target']): WhyRequest['target'] {
  switch (target?.$case) {
    case undefined: throw new WireError('target is missing');
    case 'service': return { kind: 'service', service: parseServiceId(target.value) };
    case 'task': return { kind: 'task', task: parseTaskId(target.value) };
  }
}

export const whyAnswerCodec: Codec<WhyAnswer, wire.WhyResponse> = {
  toWire: answer => ({ ...answer, fix: optional(answer.fix, fixToWire) }),
  fromWire: answer => present({ ...answer, reasons: answer.reasons.map(reasonFromWire), fix: optional(answer.fix, fixFromWire) }),
};

export const planRecordCodec: Codec<PlanRecord, stored.PlanRecord> = {
  toWire: record => record,
  fromWire: record => ({ ...record, apps: record.apps.map(app => ({ ...app, id: parseAppId(app.id) })) }),
};
