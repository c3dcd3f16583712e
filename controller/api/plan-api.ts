/** Plan and why: the leader's own code on this replica's picture; nothing of the cluster is changed. */
import type { AppSpec } from '#model/app.ts';
import { checkAppSpec } from '#model/app-rules.ts';
import type { ClusterPlan } from '#model/cluster-plan.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { ClusterError } from '#model/errors.ts';
import type { Violation } from '#model/errors.ts';
import { appId } from '#model/ids.ts';
import type { ControlHandlers, PlanRequest, UndoTarget } from '#model/ports.ts';
import type { Times } from '#model/times.ts';
import { ClusterPlanner } from '../reconcile/cluster-plan.ts';
import type { PlanContext } from '../reconcile/plan-context.ts';
import type { RevisionCache } from '../reconcile/revision-store.ts';
import { whyService, whyTask } from '../reconcile/why.ts';
import { requireRole } from './access.ts';
import { checkAddedNode } from './added-node-rules.ts';
import { checkPolicy, draftWith, missingSecrets, wouldBeDraft } from './apply-api.ts';
import { requireValid } from './violations.ts';
import type { ApplyParts } from './apply-api.ts';
import { findClashes } from './cluster-clashes.ts';
import { withClusterDefaults } from './cluster-defaults.ts';
import { pinImages } from './digest-flow.ts';
import { chooseRevision } from './rollout-api.ts';
import type { ChosenRevision } from './rollout-api.ts';
import { savePlan } from './saved-plan-flow.ts';

export interface PlanParts extends ApplyParts {
  readonly clusterId: string;
  readonly times: Times;
  readonly revisions: RevisionCache;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** A plan takes no longer: clients wait for it, and other calls wait for its steps. */
const PLAN_BUDGET_MS = 20_000;
/** Apps in one plan. */
const MAX_APPS = 500;

export function createPlanApi(parts: PlanParts): Pick<ControlHandlers, 'plan' | 'why'> {
  return {
    async plan(request, peer) {
      requireRole(peer, 'operator');
      requireValid(requestViolations(request, parts));
      requireNodes(request, parts);
      const apps = await pinAll(request.apps, parts);
      await loadRevisions(parts);
      requireValid(eachApp(apps, app => findClashes(app, parts.state.current, parts.reservedPorts)));
      const undone = request.undo === undefined ? undefined : await requireUndone(request.undo, parts);
      const { plan, before, isWhole } = await planInTime({ ...request, apps }, undone, parts);
      if (request.isSaved && !isWhole) {
        throw new ClusterError('DEADLINE_EXCEEDED', `the plan is not at its end after ${String(PLAN_BUDGET_MS / 1000)} s, and half a plan is no promise; plan fewer Apps at once`);
      }
      if (undone !== undefined) {
        return { ...plan, undoneRevision: undone.number };
      }
      return request.isSaved ? { ...plan, planId: await savePlan(apps, before, parts) } : plan;
    },
    why({ target, node }, peer) {
      requireRole(peer, 'operator');
      const { current } = parts.state;
      if (node !== undefined && !current.nodes.has(node)) {
        throw new ClusterError('NOT_FOUND', `node ${node} does not exist; see clusterctl node ls`);
      }
      const answer = target.kind === 'service' ? whyService(current, target.service, node) : whyTask(current, target.task, node);
      if (answer === undefined) {
        throw new ClusterError('NOT_FOUND', target.kind === 'service' ? `service ${target.service} does not exist` : `task ${target.task} is not known`);
      }
      return Promise.resolve(answer);
    },
  };
}

interface TimedPlan {
  readonly plan: ClusterPlan;
  /** What it was made from. */
  readonly before: ClusterSnapshot;
  readonly isWhole: boolean;
}

/** Between its steps others are served. */
async function planInTime({ apps, withoutNodes, addedNodes }: PlanRequest, undone: ChosenRevision | undefined, parts: PlanParts): Promise<TimedPlan> {
  const { clock, state, signal } = parts;
  const drafts = [...apps.map(app => wouldBeDraft(app, parts)), ...(undone === undefined ? [] : [draftWith(undone.wish, new Map(), parts)])];
  const planner = new ClusterPlanner(state.current, { apps: drafts, withoutNodes, addedNodes }, contextOf(parts));
  const deadlineMs = clock.monotonicMs() + PLAN_BUDGET_MS;
  let isWhole = planner.step();
  while (!isWhole && clock.monotonicMs() < deadlineMs) {
    await clock.sleep(0, signal);
    isWhole = planner.step();
  }
  return { plan: planner.plan, before: planner.before, isWhole };
}

/** What an undo would write, refused where that would be. @throws ClusterError as `chooseRevision`, INVALID_ARGUMENT */
async function requireUndone(undo: UndoTarget, parts: PlanParts): Promise<ChosenRevision> {
  const chosen = await chooseRevision(undo, parts);
  requireValid([...checkPolicy(chosen.wish.app, parts), ...findClashes(chosen.wish.app, parts.state.current, parts.reservedPorts)]);
  return chosen;
}

/** Lost nodes are lost for good in a plan: whoever waits for one has waited long enough. */
function contextOf({ clock, clusterId, times, revisions, state }: PlanParts): PlanContext {
  return { nowMs: clock.nowMs(), clusterId, times, awayForMs: () => Number.POSITIVE_INFINITY, revisionOf: (app, number) => revisions.get(state.current, app, number) };
}

/** What rollouts that are under way may go back to. */
async function loadRevisions({ state, revisions, signal }: PlanParts): Promise<void> {
  const statuses = [...state.current.serviceStatuses.values()].map(entry => entry.value);
  for (const { id } of statuses.filter(status => status.rollout.state !== 'settled')) {
    await revisions.load(state.current, id, signal);
  }
}

/** Violations of every App, each with its place in the list. */
function eachApp(apps: readonly AppSpec[], check: (app: AppSpec) => readonly Violation[]): readonly Violation[] {
  return apps.flatMap((app, index) => check(app).map(violation => ({ ...violation, path: `apps[${String(index)}].${violation.path}` })));
}

function requestViolations({ apps, isSaved, withoutNodes, addedNodes, undo }: PlanRequest, parts: PlanParts): readonly Violation[] {
  const ids = apps.map(app => appId(app.namespace, app.name));
  const twice = ids.flatMap((id, index) => (ids.indexOf(id) < index ? [{ path: `apps[${String(index)}].metadata.name`, message: `App ${id} comes twice` }] : []));
  return [
    ...(apps.length > MAX_APPS ? [{ path: 'apps', message: `at most ${String(MAX_APPS)} Apps, got ${String(apps.length)}` }] : []),
    ...(isSaved && withoutNodes.length + addedNodes.length > 0 ? [{ path: 'is_saved', message: 'a plan for other nodes than there are cannot be applied' }] : []),
    ...(isSaved && apps.length === 0 ? [{ path: 'is_saved', message: 'a plan of no App cannot be applied' }] : []),
    ...(undo !== undefined && (isSaved || apps.length > 0) ? [{ path: 'undo', message: 'an undo is planned alone, and not saved' }] : []),
    ...twice,
    ...eachApp(apps, app => [...checkAppSpec(app), ...checkPolicy(app, parts), ...missingSecrets(app, parts), ...deletingApp(app, parts)]),
    ...addedNodes.flatMap(checkAddedNode),
  ];
}

function deletingApp(app: AppSpec, { state }: PlanParts): readonly Violation[] {
  const isDeleting = state.current.apps.get(appId(app.namespace, app.name))?.value.isDeleting === true;
  return isDeleting ? [{ path: 'metadata.name', message: `App ${app.namespace}/${app.name} is being deleted; plan again when it is gone` }] : [];
}

/** @throws ClusterError NOT_FOUND, ALREADY_EXISTS */
function requireNodes({ withoutNodes, addedNodes }: PlanRequest, { state }: PlanParts): void {
  const absent = withoutNodes.find(id => !state.current.nodes.has(id));
  if (absent !== undefined) {
    throw new ClusterError('NOT_FOUND', `node ${absent} does not exist; see clusterctl node ls`);
  }
  const present = addedNodes.find(({ name }) => state.current.nodes.has(name));
  if (present !== undefined) {
    throw new ClusterError('ALREADY_EXISTS', `node ${present.name} is there already; give the added node another name`);
  }
}

/** @throws ClusterError INVALID_ARGUMENT with the place of each App */
async function pinAll(apps: readonly AppSpec[], parts: PlanParts): Promise<readonly AppSpec[]> {
  const pinned: AppSpec[] = [];
  for (const [index, app] of apps.entries()) {
    try {
      pinned.push(await pinImages(withClusterDefaults(app, parts), parts, parts.signal));
    } catch (error) {
      if (!(error instanceof ClusterError)) {
        throw error;
      }
      requireValid(error.violations.map(violation => ({ ...violation, path: `apps[${String(index)}].${violation.path}` })));
      throw error;
    }
  }
  return pinned;
}
