/** A watched view as changes: of each answer, what is new or other since the answers before it. */
import type { ClusterSnapshot } from '#model/cluster-snapshot.ts';
import type { AppId, NodeId, ServiceId, TaskId } from '#model/ids.ts';
import type { ClusterView, ListFilter, ViewChange } from '#model/ports.ts';
import type { ClusterChange } from '../store/snapshot.ts';
import { appInView, nodeInView, pendingOf, serviceInView, taskInView } from './cluster-view.ts';

/** What a part holds at most: so much is made and encoded in one turn of the event loop. */
const PART_COST = 400;
/** A service counts its tasks, a node adds its tasks up. */
const COST = { app: 1, service: 20, task: 1, node: 2 } as const;

/** The cluster as it is now, and what this replica heard of its nodes. */
export interface ViewSource {
  readonly snapshot: ClusterSnapshot;
  readonly lastSeen: ReadonlyMap<NodeId, number>;
}

interface Part {
  readonly apps: ClusterView['apps'][number][];
  readonly services: ClusterView['services'][number][];
  readonly tasks: ClusterView['tasks'][number][];
  readonly pending: ClusterView['pending'][number][];
  readonly nodes: ClusterView['nodes'][number][];
  readonly goneApps: AppId[];
  readonly goneServices: ServiceId[];
  readonly goneTasks: TaskId[];
  readonly goneNodes: NodeId[];
  cost: number;
}

interface Dirty {
  readonly apps: Set<AppId>;
  readonly services: Set<ServiceId>;
  readonly tasks: Set<TaskId>;
  readonly nodes: Set<NodeId>;
}

/**
 * What one watcher was sent, and what of it may be other by now.
 *
 * 1. All parts up to one that is not partial, put together with those before, are the view, when nothing
 * changes meanwhile. 2. What changes meanwhile is in later parts: no part mixes two pictures of one object.
 * 3. Work and bytes of an answer follow the change, not the cluster.
 */
export class ViewChanges {
  readonly #filter: ListFilter;
  readonly #partCost: number;
  #dirty: Dirty;
  readonly #sentTasks = new Set<TaskId>();
  /** With the text of each, so that what is the same is not sent again. */
  readonly #sentApps = new Map<AppId, string>();
  readonly #sentServices = new Map<ServiceId, string>();
  readonly #sentNodes = new Map<NodeId, string>();
  /** What of each node its tasks' states follow from, as it was when they were looked at. */
  readonly #standings = new Map<NodeId, string>();
  #sentBreaker: string | undefined;
  #isFirst = true;

  /** All that there is counts as changed. */
  constructor(filter: ListFilter, snapshot: ClusterSnapshot, partCost = PART_COST) {
    this.#filter = filter;
    this.#partCost = partCost;
    this.#dirty = {
      apps: new Set(snapshot.apps.keys()), services: new Set(snapshot.services.keys()),
      tasks: new Set(filter.withoutTasks === true ? [] : snapshot.tasks.keys()), nodes: new Set(snapshot.nodes.keys()),
    };
    for (const id of snapshot.nodes.keys()) this.#standings.set(id, standingOf(snapshot, id));
  }

  /** The snapshot has the change already. */
  take(change: ClusterChange, snapshot: ClusterSnapshot): void {
    const { apps, services, tasks, nodes } = this.#dirty;
    change.apps.forEach(id => apps.add(id));
    change.services.forEach(id => services.add(id));
    change.nodes.forEach(id => { nodes.add(id); this.#lookAtNode(id, snapshot); });
    if (this.#filter.withoutTasks !== true) change.tasks.forEach(id => tasks.add(id));
    if (change.kinds.has('node')) {
      // How many they want is how many nodes there are.
      for (const [id, { value }] of snapshot.services) {
        if (value.spec.kind === 'global') services.add(id);
      }
    }
  }

  /** What changed until now. `source` is asked anew after each part. */
  *parts(source: () => ViewSource): Generator<ClusterView, void, undefined> {
    const dirty = this.#dirty;
    this.#dirty = { apps: new Set(), services: new Set(), tasks: new Set(), nodes: new Set() };
    let [now, part, hasSent] = [source(), emptyPart(), false];
    for (const look of this.#looksOf(dirty)) {
      look(part, now);
      if (part.cost >= this.#partCost) {
        yield viewOf(part, now.snapshot, true);
        [now, part, hasSent] = [source(), emptyPart(), true];
      }
    }
    const { snapshot } = now;
    const breaker = snapshot.massBreaker?.value.message;
    if (hasSent || part.cost > 0 || this.#isFirst || breaker !== this.#sentBreaker) {
      this.#isFirst = false;
      this.#sentBreaker = breaker;
      yield viewOf(part, snapshot, false);
    }
  }

  *#looksOf(dirty: Dirty): Generator<(part: Part, source: ViewSource) => void> {
    for (const id of dirty.apps) yield (part, { snapshot }) => { this.#app(id, part, snapshot); };
    for (const id of dirty.services) yield (part, { snapshot }) => { this.#service(id, part, snapshot); };
    for (const id of dirty.nodes) yield (part, source) => { this.#node(id, part, source); };
    for (const id of dirty.tasks) yield (part, { snapshot }) => { this.#task(id, part, snapshot); };
  }

  #app(id: AppId, part: Part, snapshot: ClusterSnapshot): void {
    const app = appInView(snapshot, id, this.#filter);
    const text = app === undefined ? undefined : JSON.stringify(app);
    if (isNews(this.#sentApps, id, text)) {
      part.cost += COST.app;
      if (app === undefined) part.goneApps.push(id);
      else part.apps.push(app);
    }
  }

  #service(id: ServiceId, part: Part, snapshot: ClusterSnapshot): void {
    const view = serviceInView(snapshot, id, this.#filter);
    const pending = view === undefined ? [] : pendingOf(snapshot, id, this.#filter);
    if (isNews(this.#sentServices, id, view === undefined ? undefined : textOf([view, pending]))) {
      part.cost += COST.service;
      part.pending.push(...pending);
      if (view === undefined) part.goneServices.push(id);
      else part.services.push(view);
    }
  }

  #node(id: NodeId, part: Part, { snapshot, lastSeen }: ViewSource): void {
    const view = nodeInView(snapshot, id, { filter: this.#filter, lastSeen });
    if (isNews(this.#sentNodes, id, view === undefined ? undefined : textOf({ ...view, lastSeenMs: 0 }))) {
      part.cost += COST.node;
      if (view === undefined) part.goneNodes.push(id);
      else part.nodes.push(view);
    }
  }

  #task(id: TaskId, part: Part, snapshot: ClusterSnapshot): void {
    const view = taskInView(snapshot, id, this.#filter);
    if (view !== undefined) {
      part.cost += COST.task;
      part.tasks.push(view);
      this.#sentTasks.add(id);
    } else if (this.#sentTasks.delete(id)) {
      part.cost += COST.task;
      part.goneTasks.push(id);
    }
  }

  #lookAtNode(id: NodeId, snapshot: ClusterSnapshot): void {
    const standing = standingOf(snapshot, id);
    if (standing === (this.#standings.get(id) ?? '')) {
      return;
    }
    if (standing === '') this.#standings.delete(id);
    else this.#standings.set(id, standing);
    for (const task of snapshot.tasksOnNode.get(id) ?? []) {
      const serviceId = snapshot.tasks.get(task)?.value.serviceId;
      if (serviceId !== undefined) this.#dirty.services.add(serviceId);
      if (this.#filter.withoutTasks !== true) this.#dirty.tasks.add(task);
    }
  }
}

/** Whether it is lost, and which node of its name it is; empty: there is none. */
function standingOf(snapshot: ClusterSnapshot, id: NodeId): string {
  const record = snapshot.nodes.get(id);
  return record === undefined ? '' : `${String(record.createRevision)} ${String(record.value.condition === 'lost')}`;
}

/** Whether this is other than what was sent of it; from now on it is what was sent. */
function isNews<Id>(sent: Map<Id, string>, id: Id, text: string | undefined): boolean {
  if (text === undefined) {
    return sent.delete(id);
  }
  const isOther = sent.get(id) !== text;
  if (isOther) sent.set(id, text);
  return isOther;
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => (inner instanceof Map ? [...inner.entries()] : inner));
}

function emptyPart(): Part {
  return {
    apps: [], services: [], tasks: [], pending: [], nodes: [],
    goneApps: [], goneServices: [], goneTasks: [], goneNodes: [], cost: 0,
  };
}

function viewOf(part: Part, snapshot: ClusterSnapshot, isPartial: boolean): ClusterView {
  const { apps, services, tasks, pending, nodes, goneApps, goneServices, goneTasks, goneNodes } = part;
  const change: ViewChange = { isPartial, goneApps, goneServices, goneTasks, goneNodes };
  const breaker = snapshot.massBreaker?.value.message;
  return {
    etcdRevision: snapshot.etcdRevision, apps, services, tasks, pending, nodes, change,
    ...(breaker === undefined ? {} : { massBreaker: { reason: breaker } }),
  };
}
