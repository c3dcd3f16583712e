/** Values of plans and of why, with everything they may carry. */
import type { ClusterPlan, Fix, RuleReason, WhyAnswer } from '#model/cluster-plan.ts';
import type { PlanRequest, WhyRequest } from '#model/ports.ts';
import { fc } from './property.ts';
import { anyServiceId, appSpec, big, count, few, labels, nodeId, resources, taskId, text, texts } from './wire-arbitraries.ts';

const ruleReason: fc.Arbitrary<RuleReason> = fc.record({ rule: text, nodes: fc.array(nodeId, few), have: text, need: text, sentence: text });
const fix: fc.Arbitrary<Fix> = fc.record({
  sentence: text,
  edit: fc.oneof(
    fc.record({ kind: fc.constant('field' as const), path: text, value: text }),
    fc.record({ kind: fc.constant('node' as const), node: text, change: text }),
  ),
  command: text,
}, { requiredKeys: ['sentence', 'edit'] });
const plannedKind = fc.constantFrom('start' as const, 'stop' as const, 'move' as const, 'replace' as const, 'keep' as const);

const undoTarget = fc.record({ namespace: text, app: text, service: text, toRevision: count }, { requiredKeys: ['namespace', 'app'] });

export const planRequest: fc.Arbitrary<PlanRequest> = fc.record({
  apps: fc.array(appSpec, { maxLength: 2 }), withoutNodes: fc.array(nodeId, few), isSaved: fc.boolean(),
  addedNodes: fc.array(fc.record({ name: nodeId, capacity: resources, labels, taints: texts, runtimes: texts, devices: fc.array(fc.record({ name: text, count }), few) }), few),
  undo: undoTarget,
}, { requiredKeys: ['apps', 'withoutNodes', 'isSaved', 'addedNodes'] });

export const clusterPlan: fc.Arbitrary<ClusterPlan> = fc.record({
  baseRevision: big,
  actions: fc.array(fc.record(
    { kind: plannedKind, service: anyServiceId, slot: count, task: taskId, node: nodeId, fromNode: nodeId, reason: text },
    { requiredKeys: ['kind', 'service', 'slot', 'node', 'reason'] },
  ), few),
  unplaced: fc.array(fc.record({ service: anyServiceId, count, reasons: fc.array(ruleReason, few), fix }, { requiredKeys: ['service', 'count', 'reasons'] }), few),
  changes: fc.array(fc.record({ service: anyServiceId, path: text, before: text, after: text }, { requiredKeys: ['service', 'path'] }), few),
  nodes: fc.array(fc.record({ node: nodeId, capacity: resources, before: resources, after: resources }), few),
  notes: texts, planId: text, undoneRevision: count,
}, { requiredKeys: ['baseRevision', 'actions', 'unplaced', 'changes', 'nodes', 'notes'] });

export const whyRequest: fc.Arbitrary<WhyRequest> = fc.record({
  target: fc.oneof(fc.record({ kind: fc.constant('service' as const), service: anyServiceId }), fc.record({ kind: fc.constant('task' as const), task: taskId })),
  node: nodeId,
}, { requiredKeys: ['target'] });

export const whyAnswer: fc.Arbitrary<WhyAnswer> = fc.record({ target: text, state: text, reasons: fc.array(ruleReason, few), fix }, { requiredKeys: ['target', 'state', 'reasons'] });
