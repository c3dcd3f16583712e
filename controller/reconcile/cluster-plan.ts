/** What an apply, or other nodes, would do: a forecast, compared with what is there. */
import { CAPABILITIES } from '#model/capability.ts';
import type { App, Service } from '#model/app.ts';
import type { AddedNode, ClusterPlan, NodePicture, PlannedTask, UnplacedService } from '#model/cluster-plan.ts';
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import { CLOSED_NODE_POLICY } from '#model/node.ts';
import type { NodeId, ServiceId, TaskId } from '#model/ids.ts';
import type { Node } from '#model/node.ts';
import { tasksOfNode } from '#model/node-of-task.ts';
import type { Resources } from '#model/resources.ts';
import type { Task } from '#model/task.ts';
import { volumeId, volumeNames } from '#model/volume.ts';
import { replicasInForce } from '../autoscale/replicas-in-force.ts';
import { reasonsOf } from '../schedule/explain.ts';
import { cheapestFix } from '../schedule/fix.ts';
import { nodeLoads } from '../schedule/node-load.ts';
import { rejectedSlots, schedule } from '../schedule/schedule.ts';
import { appOfService } from '../store/keys.ts';
import { fieldChanges } from './field-changes.ts';
import { Forecast } from './forecast.ts';
import { detached, PaperCluster } from './paper-cluster.ts';
import type { PlanContext } from './plan-context.ts';
import { isLive, isUpToDate, rowsOf, serviceState } from './task-row.ts';
import type { TaskRow } from './task-row.ts';
import { wantedSlots } from './wanted-slots.ts';

/** The records that an apply would write. */
export interface WouldBeApp {
  readonly app: App;
  /** Created, changed, removed (`isDeleting`). */
  readonly services: readonly Service[];
  /** False: the apply writes nothing. */
  readonly isChanged: boolean;
}

export interface PlanWish {
  /** In the order of their applies. */
  readonly apps: readonly WouldBeApp[];
  /** As if they were being drained. */
  readonly withoutNodes: readonly NodeId[];
  readonly addedNodes: readonly AddedNode[];
}

/** Turns of the leader in one step: the event loop is free between steps. */
const TURNS_PER_STEP = 50;

/**
 * Plans by carrying out on paper: the reconcilers and the scheduler decide, as they do for real. The snapshot is read once, when this is made,
 * and not changed.
 */
export class ClusterPlanner {
  /** The cluster as the plan began. */
  readonly before: ClusterSnapshot;
  readonly #wish: PlanWish;
  readonly #paper: PaperCluster;
  readonly #forecast: Forecast;
  readonly #waiting: WouldBeApp[];
  #progress: 'rest' | 'endless' | 'more' = 'more';

  constructor(snapshot: ClusterSnapshot, wish: PlanWish, context: PlanContext) {
    this.before = detached(snapshot);
    this.#wish = wish;
    this.#paper = new PaperCluster(this.before, lastingTasks(this.before, wish));
    this.#forecast = new Forecast(this.#paper, context);
    this.#waiting = wish.apps.filter(one => one.isChanged);
    changeNodes(this.#paper, this.#forecast, wish);
  }

  /** True: there is no more to find out. An App's first tasks are placed before the next App is applied. */
  step(): boolean {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      this.#forecast.request(this.#paper.putApp(next.app, next.services));
      this.#forecast.settleDecisions();
      return false;
    }
    this.#progress = this.#progress === 'more' ? this.#forecast.step(TURNS_PER_STEP) : this.#progress;
    return this.#progress !== 'more';
  }

  /** What the steps so far came to; `notes` says where they did not come to an end. */
  get plan(): ClusterPlan {
    const [before, after, wish] = [this.before, this.#paper.snapshot, this.#wish];
    return {
      baseRevision: before.etcdRevision,
      actions: actionsOf(before, after, { wish, stops: this.#forecast.stops }),
      unplaced: unplacedOrKept(after, wish.withoutNodes).map(one => withoutIdleCommand(one, wish)),
      changes: wish.apps.flatMap(({ services, isChanged }) => (isChanged ? services : [])).flatMap(one => fieldChanges(before.services.get(one.id)?.value, one)),
      nodes: picturesOf(before, after),
      notes: [...UNFINISHED[this.#progress], ...notesOf(after, wish)],
    };
  }
}

const UNFINISHED: Readonly<Record<'rest' | 'endless' | 'more', readonly string[]>> = {
  rest: [],
  endless: ['the cluster does not come to rest: this is only its beginning'],
  more: ['there was no time to follow the cluster to its rest: this is only its beginning'],
};

/** All steps at once. */
export function planCluster(snapshot: ClusterSnapshot, wish: PlanWish, context: PlanContext): ClusterPlan {
  const planner = new ClusterPlanner(snapshot, wish, context);
  while (!planner.step());
  return planner.plan;
}

/** Running tasks of jobs. In an App that is changed they end on paper: its other services may wait for them. */
function lastingTasks(before: ClusterSnapshot, { apps }: PlanWish): ReadonlySet<TaskId> {
  const changed = new Set<string>(apps.filter(one => one.isChanged).map(({ app }) => app.id));
  return new Set([...before.tasks.values()].map(entry => entry.value).filter(task => task.kind === 'job' && !changed.has(appOfService(task.serviceId))).map(task => task.id));
}

function changeNodes(paper: PaperCluster, forecast: Forecast, { withoutNodes, addedNodes }: PlanWish): void {
  for (const id of withoutNodes) {
    const node = paper.snapshot.nodes.get(id)?.value;
    if (node !== undefined) {
      forecast.request(paper.putNode({ ...node, availability: 'draining' }));
    }
  }
  for (const added of addedNodes) {
    forecast.request(paper.putNode(nodeOf(added, paper.snapshot)));
  }
}

/** Of a first node nobody can tell what its machine is like. */
const UNKNOWN_MACHINE: Pick<Node, 'labels' | 'pids' | 'agentVersion' | 'snapshotter' | 'hasDeadman' | 'networkFault' | 'listeningPorts' | 'capabilities' | 'policy' | 'runtimes' | 'hugepageSizes'> = {
  labels: new Map<string, string>(), pids: 0, agentVersion: '', snapshotter: '', hasDeadman: true, networkFault: '', listeningPorts: [], capabilities: CAPABILITIES, policy: CLOSED_NODE_POLICY, runtimes: ['crun'],
};

function nodeOf(added: AddedNode, { nodes }: ClusterSnapshot): Node {
  const others = [...nodes.values()].map(entry => entry.value).sort((left, right) => (left.id < right.id ? -1 : 1));
  const subnets = others.map(node => node.subnetIndex);
  const like = others[0] ?? UNKNOWN_MACHINE;
  return {
    id: added.name, availability: 'active', taints: added.taints, capacity: added.capacity,
    labels: new Map([['arch', like.labels.get('arch') ?? 'amd64'], ['os', 'linux'], ...added.labels, ['node', added.name]]),
    subnetIndex: Math.max(-1, ...subnets) + 1, address: '', pids: added.capacity.pids ?? like.pids, agentVersion: like.agentVersion, metricsAddress: '', snapshotter: like.snapshotter, cpus: '', hasDeadman: like.hasDeadman, networkFault: '', listeningPorts: [], capabilities: like.capabilities,
    ...(like.hugepageSizes === undefined ? {} : { hugepageSizes: like.hugepageSizes }),
    policy: { ...like.policy, devices: added.devices },
    runtimes: added.runtimes.length === 0 ? like.runtimes : added.runtimes,
    condition: 'ready', conditionSinceMs: 0, isLossConfirmed: false, createdAtMs: 0,
  };
}

interface ActionFacts {
  readonly wish: PlanWish;
  /** Why tasks were told to stop. */
  readonly stops: ReadonlyMap<TaskId, string>;
}

/** By service and slot. Of services that nothing happens to, only those of the wished Apps are told, as kept. */
function actionsOf(before: ClusterSnapshot, after: ClusterSnapshot, facts: ActionFacts): readonly PlannedTask[] {
  const apps = new Set(facts.wish.apps.map(({ app }) => app.id));
  const services = [...new Set([...before.tasksOfService.keys(), ...after.tasksOfService.keys()])].sort();
  const changed = new Set(facts.wish.apps.filter(one => one.isChanged).flatMap(one => one.services.map(({ id }) => id)));
  return services.flatMap(id => {
    const all = actionsOfService(before, after, { id, stops: facts.stops });
    const actions = changed.has(id) ? all : all.filter(action => !isUnderWay(action, before));
    const isOfApp = [...apps].some(app => id.startsWith(`${app}/`));
    return isOfApp || actions.some(action => action.kind !== 'keep') ? actions : [];
  });
}

/** What follows without the plan: the next attempts and completions of a job, the next task of a slot that failed or ended, a run of a cron. */
function isUnderWay({ kind, service: id, slot, reason }: PlannedTask, { services, serviceStatuses }: ClusterSnapshot): boolean {
  if (kind !== 'start') {
    return false;
  }
  const service = services.get(id)?.value;
  const isPending = serviceStatuses.get(id)?.value.pending.some(one => one.slot === slot) === true;
  return service === undefined || (service.spec.kind === 'job' && !isPending) || reason === 'crash-loop' || reason === 'ended';
}

function actionsOfService(before: ClusterSnapshot, after: ClusterSnapshot, { id, stops }: { readonly id: ServiceId; readonly stops: ActionFacts['stops'] }): readonly PlannedTask[] {
  const was = Map.groupBy(rowsOf(before, id).filter(isLive), row => row.task.slot);
  const will = Map.groupBy(rowsOf(after, id).filter(row => isLive(row) || (row.task.desired === 'run' && !before.tasks.has(row.task.id))), row => row.task.slot);
  const slots = [...new Set([...was.keys(), ...will.keys()])].sort((left, right) => left - right);
  return slots.flatMap(slot => actionsOfSlot(was.get(slot) ?? [], will.get(slot)?.at(-1), { stops, before }));
}

function actionsOfSlot(was: readonly TaskRow[], will: TaskRow | undefined, { stops, before }: Pick<ActionFacts, 'stops'> & { readonly before: ClusterSnapshot }): readonly PlannedTask[] {
  const stop = ({ task }: TaskRow): PlannedTask => ({
    kind: 'stop', service: task.serviceId, slot: task.slot, task: task.id, node: task.node, reason: stops.get(task.id) ?? 'node-removed',
  });
  // A job's task that ended on paper was not told to.
  const keep = ({ task }: TaskRow): PlannedTask => ({ kind: 'keep', service: task.serviceId, slot: task.slot, task: task.id, node: task.node, reason: '' });
  if (will === undefined) {
    return was.map(row => (row.task.kind === 'job' && !stops.has(row.task.id) ? keep(row) : stop(row)));
  }
  const { task } = will;
  const base = { service: task.serviceId, slot: task.slot, node: task.node, reason: task.reason };
  const kept = was.find(row => row.task.id === task.id);
  const previous = kept ?? was.at(-1);
  const others = was.filter(row => row !== previous).map(stop);
  if (previous === undefined) {
    return [{ kind: 'start', ...base, reason: [task.reason, ...dataOf(before, task)].join('; ') }];
  }
  if (kept !== undefined) {
    return [{ kind: 'keep', ...base, task: task.id, reason: '' }, ...others];
  }
  const isMove = previous.task.templateHash === task.templateHash && previous.task.node !== task.node;
  return [{ kind: isMove ? 'move' : 'replace', ...base, task: previous.task.id, fromNode: previous.task.node }, ...others];
}

/** What binds a new task to its node. */
function dataOf({ volumes }: ClusterSnapshot, task: Task): readonly string[] {
  const bound = volumeNames(task, task.slot).filter(name => {
    const volume = volumes.get(volumeId(name, task.node))?.value;
    return volume?.state === 'present' && !volume.isPerNode;
  });
  return bound.length === 0 ? [] : [`its volume ${bound.join(', ')} is on ${task.node}`];
}

/** Services with slots that fit nowhere, each with its reasons and the cheapest way out. */
export function unplacedServices(snapshot: ClusterSnapshot): readonly UnplacedService[] {
  return [...snapshot.serviceStatuses.values()].map(entry => entry.value).filter(status => status.pending.length > 0)
    .sort((left, right) => (left.id < right.id ? -1 : 1))
    .flatMap(({ id }) => unplacedService(snapshot, id) ?? []);
}

/** Also services whose tasks end before others start: they stay on the drained nodes, and nothing is pending. */
function unplacedOrKept(after: ClusterSnapshot, drained: readonly NodeId[]): readonly UnplacedService[] {
  const unplaced = unplacedServices(after);
  const kept = Map.groupBy(drained.flatMap(node => tasksOfNode(after, node)).map(({ value }) => value), task => task.serviceId);
  const others = [...kept].filter(([id]) => unplaced.every(one => one.service !== id)).flatMap(([id, tasks]) => {
    const live = new Set(rowsOf(after, id).filter(isLive).map(row => row.task.id));
    return unfitSlots(after, id, new Set(tasks.filter(task => live.has(task.id)).map(task => task.slot))) ?? [];
  });
  return [...unplaced, ...others].sort((left, right) => (left.service < right.service ? -1 : 1));
}

/** A command changes the cluster as it is: not the manifests that are planned, nor the nodes that are only thought of. */
function withoutIdleCommand(unplaced: UnplacedService, { apps, withoutNodes, addedNodes }: PlanWish): UnplacedService {
  const { fix } = unplaced;
  if (fix?.command === undefined) {
    return unplaced;
  }
  const { command: _, ...rest } = fix;
  const { edit } = fix;
  const isThought = edit.kind === 'field'
    ? edit.path.startsWith('services.') && apps.some(({ services }) => services.some(({ id }) => id === unplaced.service))
    : [...withoutNodes, ...addedNodes.map(({ name }) => name)].some(name => name === edit.node);
  return isThought ? { ...unplaced, fix: rest } : unplaced;
}

/** What keeps the pending slots of a service from every node now; undefined when they fit after all. */
export function unplacedService(snapshot: ClusterSnapshot, id: ServiceId): UnplacedService | undefined {
  const status = snapshot.serviceStatuses.get(id)?.value;
  return status === undefined ? undefined : unfitSlots(snapshot, id, status.pendingCount === undefined ? new Set(status.pending.map(one => one.slot)) : unservedSlots(snapshot, id));
}

/** A status with a count lists examples only: the slots that have no task of the current template. */
function unservedSlots(snapshot: ClusterSnapshot, id: ServiceId): ReadonlySet<number> {
  const state = serviceState(snapshot, id);
  if (state === undefined) {
    return new Set();
  }
  const served = new Set(state.rows.filter(row => isLive(row) && isUpToDate(row, state.service)).map(row => row.task.slot));
  return new Set(wantedSlots(snapshot, state).map(one => one.slot).filter(slot => !served.has(slot)));
}

function unfitSlots(snapshot: ClusterSnapshot, id: ServiceId, slots: ReadonlySet<number>): UnplacedService | undefined {
  const state = serviceState(snapshot, id);
  if (state === undefined || slots.size === 0) {
    return undefined;
  }
  const { service } = state;
  const wanted = wantedSlots(snapshot, state).filter(one => slots.has(one.slot));
  const { rejections } = schedule(snapshot, [{ service, slots: wanted }]);
  const [first] = rejections;
  if (first === undefined) {
    return undefined;
  }
  const fix = cheapestFix({ snapshot, service, slots: wanted });
  return { service: id, count: rejectedSlots(rejections), reasons: reasonsOf(first.obstacles), ...(fix === undefined ? {} : { fix }) };
}

function picturesOf(before: ClusterSnapshot, after: ClusterSnapshot): readonly NodePicture[] {
  const used = new Map<NodeId, Resources>(nodeLoads(before).map(load => [load.node.id, load.used]));
  return nodeLoads(after).map(({ node, used: usedAfter }) => ({
    node: node.id, capacity: node.capacity, before: used.get(node.id) ?? { milliCpu: 0, memoryBytes: 0 }, after: usedAfter,
  }));
}

/** Rollouts of the wished Apps that end otherwise than settled, beside those whose tasks fit nowhere. */
function notesOf(after: ClusterSnapshot, { apps }: PlanWish): readonly string[] {
  return apps.flatMap(({ services }) => services).flatMap(({ id }) => {
    const status = after.serviceStatuses.get(id)?.value;
    const scaled = scaledNote(after, id);
    const isTold = status === undefined || status.rollout.state === 'settled' || status.pending.length > 0;
    return [...scaled, ...(isTold ? [] : [`service/${id} ends ${status.rollout.state}${status.rollout.reason === '' ? '' : `: ${status.rollout.reason}`}`])];
  });
}

/** What will be measured nobody knows. */
function scaledNote({ services, serviceStatuses }: ClusterSnapshot, id: ServiceId): readonly string[] {
  const spec = services.get(id)?.value.spec;
  return spec?.autoscale === undefined ? [] : [
    `service/${id} scales by itself, from ${String(spec.autoscale.min)} to ${String(spec.autoscale.max)} replicas; the plan is for ${String(replicasInForce(spec, serviceStatuses.get(id)?.value))}`,
  ];
}
