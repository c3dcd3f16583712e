/** The ClusterSnapshot, brought forward in place by what etcd tells. */
import type { App, SecretVersion, Service, ServiceStatus } from '#model/app.ts';
import type { ClusterSnapshot, UnreadableNode, UnreadableTask, Versioned } from '#model/cluster-snapshot.ts';
import type { ClusterEvent } from '#model/event.ts';
import type { AppId, NodeId, ServiceId, TaskId } from '#model/ids.ts';
import type { Namespace } from '#model/namespace.ts';
import type { ControllerRecord, Ledger, Node, SessionRecord } from '#model/node.ts';
import type { Task, TaskStatus } from '#model/task.ts';
import type { Volume } from '#model/volume.ts';
import { parseKey } from './keys.ts';
import type { RecordKey, RecordKind } from './keys.ts';
import { revisionOf } from './ports.ts';
import type { StoreBatch, StoreChange, StoredValue } from './ports.ts';
import { MIRROR_DECODERS, salvageNode, salvageTask } from './records.ts';
import type { MirroredKind } from './records.ts';

/** What a batch touched. A service counts when itself, its status, one of its tasks or their statuses changed; a node likewise. */
export interface ClusterChange {
  readonly etcdRevision: number;
  readonly kinds: ReadonlySet<RecordKind>;
  readonly apps: ReadonlySet<AppId>;
  readonly services: ReadonlySet<ServiceId>;
  readonly nodes: ReadonlySet<NodeId>;
  /** Those whose record or status changed. */
  readonly tasks: ReadonlySet<TaskId>;
}

/** What both touched. */
export function joinChanges(earlier: ClusterChange, later: ClusterChange): ClusterChange {
  return {
    etcdRevision: later.etcdRevision, kinds: new Set([...earlier.kinds, ...later.kinds]), apps: new Set([...earlier.apps, ...later.apps]),
    services: new Set([...earlier.services, ...later.services]), nodes: new Set([...earlier.nodes, ...later.nodes]),
    tasks: new Set([...earlier.tasks, ...later.tasks]),
  };
}

/** A record that this program cannot read. */
export interface InvalidRecord {
  readonly key: string;
  readonly modRevision: number;
  readonly message: string;
}

export interface StoreList {
  readonly etcdRevision: number;
  readonly entries: readonly StoredValue[];
}

interface Tables {
  etcdRevision: number;
  epoch: number;
  leaderId?: string;
  massBreaker?: Versioned<ClusterEvent>;
  readonly apps: Map<AppId, Versioned<App>>;
  readonly services: Map<ServiceId, Versioned<Service>>;
  readonly serviceStatuses: Map<ServiceId, Versioned<ServiceStatus>>;
  readonly tasks: Map<TaskId, Versioned<Task>>;
  readonly unreadableTasks: Map<TaskId, UnreadableTask>;
  readonly unreadableApps: Set<AppId>;
  readonly unreadableNodes: Map<NodeId, UnreadableNode>;
  readonly statuses: Map<TaskId, Versioned<TaskStatus>>;
  readonly nodes: Map<NodeId, Versioned<Node>>;
  readonly ledgers: Map<NodeId, Versioned<Ledger>>;
  readonly sessions: Map<NodeId, Versioned<SessionRecord>>;
  readonly controllers: Map<string, Versioned<ControllerRecord>>;
  readonly secrets: Map<string, Versioned<SecretVersion>>;
  readonly volumes: Map<string, Versioned<Volume>>;
  readonly unreadableVolumes: Set<string>;
  readonly namespaces: Map<string, Versioned<Namespace>>;
  readonly unreadableNamespaces: Set<string>;
  readonly tasksOfService: Map<ServiceId, Set<TaskId>>;
  readonly tasksOnNode: Map<NodeId, Set<TaskId>>;
  readonly volumesLeaving: Map<NodeId, Set<string>>;
}

interface Touched {
  readonly kinds: Set<RecordKind>;
  readonly apps: Set<AppId>;
  readonly services: Set<ServiceId>;
  readonly nodes: Set<NodeId>;
  readonly tasks: Set<TaskId>;
  /** Index sets that got a member and must be put in order again. */
  readonly unsorted: Set<Set<TaskId>>;
}

/**
 * What etcd holds of the mirrored kinds.
 *
 * 1. After `apply` of all batches up to a revision, `current` equals what a full list at that revision gives (but for what it knows of unreadable records). 2. `reset` repairs any
 * difference, but never undoes a batch that is newer than the list, and no batch that comes late undoes what the list brought. 3. A record that cannot be read is in `invalid`; of a task, an App,
 * a Node, a Namespace or a Volume, its id is in `current.unreadable...`; it is nowhere else.
 */
export class ClusterMirror {
  readonly #tables = emptyTables();
  readonly #modRevisions = new Map<string, number>();
  readonly #invalid = new Map<string, InvalidRecord>();
  readonly #secretVersions = new Map<string, Map<number, Versioned<SecretVersion>>>();
  /** Deletes seen since `beginList`, so that a list that was read before them does not bring their keys back. */
  #deletedSince: Map<string, number> | undefined;
  #listBeginRevision = 0;
  /** Of the newest list: what is as old is known already. */
  #listedRevision = 0;

  /** Read it in one go; it changes with the next batch. */
  get current(): ClusterSnapshot {
    return this.#tables;
  }

  get invalid(): ReadonlyMap<string, InvalidRecord> {
    return this.#invalid;
  }

  apply(batch: StoreBatch): ClusterChange {
    const touched = noneTouched();
    for (const change of batch.changes) {
      this.#applyChange(change, touched, revisionOf(change) <= this.#listedRevision);
    }
    this.#tables.etcdRevision = Math.max(this.#tables.etcdRevision, batch.etcdRevision);
    return this.#finish(touched);
  }

  /** Call before reading the list that `reset` gets. */
  beginList(): void {
    this.#deletedSince = new Map();
    this.#listBeginRevision = this.#tables.etcdRevision;
  }

  /** Makes the mirror equal to the list, apart from what was applied since and is newer. A list older than the mirror was when it was asked for means that the store went back: then the list counts alone. */
  reset(list: StoreList): ClusterChange & { readonly hasGoneBack: boolean; readonly differences: number } {
    const hasGoneBack = list.etcdRevision < this.#listBeginRevision;
    const newest = hasGoneBack ? Number.POSITIVE_INFINITY : list.etcdRevision;
    const touched = noneTouched();
    const changes = this.#differences(list, newest, hasGoneBack);
    for (const change of changes) {
      this.#applyChange(change, touched, false);
    }
    this.#listedRevision = list.etcdRevision;
    this.#tables.etcdRevision = hasGoneBack ? list.etcdRevision : Math.max(this.#tables.etcdRevision, list.etcdRevision);
    this.#deletedSince = undefined;
    return { ...this.#finish(touched), hasGoneBack, differences: changes.length };
  }

  #differences(list: StoreList, newest: number, hasGoneBack: boolean): readonly StoreChange[] {
    const listed = new Set<string>();
    const changes: StoreChange[] = [];
    for (const entry of list.entries) {
      listed.add(entry.key);
      const held = this.#modRevisions.get(entry.key) ?? 0;
      const deletedAt = this.#deletedSince?.get(entry.key) ?? 0;
      const isNews = hasGoneBack ? held !== entry.modRevision : held < entry.modRevision && deletedAt <= newest;
      if (isNews) {
        changes.push({ kind: 'put', entry });
      }
    }
    for (const [key, modRevision] of this.#modRevisions) {
      if (!listed.has(key) && modRevision <= newest) {
        changes.push({ kind: 'delete', key, modRevision: list.etcdRevision });
      }
    }
    return changes;
  }

  #applyChange(change: StoreChange, touched: Touched, isKnown: boolean): void {
    const text = change.kind === 'put' ? change.entry.key : change.key;
    const key = parseKey(text);
    if (key === undefined || isKnown || !isMirrored(key)) {
      if (key !== undefined) {
        touched.kinds.add(key.kind);
      }
      return;
    }
    touched.kinds.add(key.kind);
    this.#touch(key, touched);
    this.#invalid.delete(text);
    const known = knownOf(this.#tables, key);
    dropUnreadable(this.#tables, key);
    if (change.kind === 'delete') {
      this.#modRevisions.delete(text);
      this.#deletedSince?.set(text, change.modRevision);
      this.#remove(key);
    } else {
      this.#modRevisions.set(text, change.entry.modRevision);
      this.#put(key, change.entry, { touched, known });
    }
    this.#touch(key, touched);
  }

  #put(key: MirroredKey, entry: StoredValue, { touched, known }: { readonly touched: Touched; readonly known: KnownBefore }): void {
    const { createRevision, modRevision } = entry;
    let value: unknown;
    try {
      value = MIRROR_DECODERS[key.kind](entry.value);
    } catch (error) {
      this.#invalid.set(entry.key, { key: entry.key, modRevision, message: error instanceof Error ? error.message : 'unreadable' });
      this.#remove(key);
      addUnreadable(this.#tables, key, { bytes: entry.value, known });
      return;
    }
    const versioned = { value, createRevision, modRevision };
    if (key.kind === 'leader') {
      this.#tables.epoch = createRevision;
      this.#tables.leaderId = (value as ControllerRecord).id;
    } else if (key.kind === 'mass-breaker') {
      this.#tables.massBreaker = versioned as Versioned<ClusterEvent>;
    } else if (key.kind === 'secret') {
      this.#putSecret(key, versioned as Versioned<SecretVersion>);
    } else {
      if (key.kind === 'task') {
        this.#indexTask(key.id, value as Task, touched);
      } else if (key.kind === 'volume') {
        this.#indexVolume(key, (value as Volume).state === 'removing');
      }
      tableOf(this.#tables, key.kind).set(idOf(key), versioned);
    }
  }

  #remove(key: MirroredKey): void {
    if (key.kind === 'leader') {
      this.#tables.epoch = 0;
      delete this.#tables.leaderId;
    } else if (key.kind === 'mass-breaker') {
      delete this.#tables.massBreaker;
    } else if (key.kind === 'secret') {
      this.#secretVersions.get(`${key.namespace}/${key.name}`)?.delete(key.version);
      this.#chooseSecret(`${key.namespace}/${key.name}`);
    } else {
      if (key.kind === 'task') {
        this.#unindexTask(key.id);
      } else if (key.kind === 'volume') {
        this.#indexVolume(key, false);
      }
      tableOf(this.#tables, key.kind).delete(idOf(key));
    }
  }

  #putSecret(key: { readonly namespace: string; readonly name: string; readonly version: number }, secret: Versioned<SecretVersion>): void {
    const name = `${key.namespace}/${key.name}`;
    const versions = this.#secretVersions.get(name) ?? new Map<number, Versioned<SecretVersion>>();
    this.#secretVersions.set(name, versions.set(key.version, secret));
    this.#chooseSecret(name);
  }

  #chooseSecret(name: string): void {
    const versions = this.#secretVersions.get(name) ?? new Map<number, Versioned<SecretVersion>>();
    const newest = versions.get(Math.max(...versions.keys()));
    if (newest === undefined) {
      this.#tables.secrets.delete(name);
      this.#secretVersions.delete(name);
    } else {
      this.#tables.secrets.set(name, newest);
    }
  }

  #indexTask(id: TaskId, task: Task, touched: Touched): void {
    const previous = this.#tables.tasks.get(id)?.value;
    if (previous?.serviceId === task.serviceId && previous.node === task.node) {
      return;
    }
    this.#unindexTask(id);
    for (const set of [memberSet(this.#tables.tasksOfService, task.serviceId), memberSet(this.#tables.tasksOnNode, task.node)]) {
      set.add(id);
      touched.unsorted.add(set);
    }
  }

  #indexVolume({ namespace, name, node }: Extract<MirroredKey, { readonly kind: 'volume' }>, isLeaving: boolean): void {
    if (isLeaving) {
      memberSet(this.#tables.volumesLeaving, node).add(`${namespace}/${name}`);
    } else {
      dropMember(this.#tables.volumesLeaving, node, `${namespace}/${name}`);
    }
  }

  #unindexTask(id: TaskId): void {
    const task = this.#tables.tasks.get(id)?.value;
    if (task !== undefined) {
      dropMember(this.#tables.tasksOfService, task.serviceId, id);
      dropMember(this.#tables.tasksOnNode, task.node, id);
    }
  }

  /** Called before and after a change, so that both a record that went and one that came name their owners. */
  #touch(key: MirroredKey, touched: Touched): void {
    if (key.kind === 'app') {
      touched.apps.add(key.id);
    } else if (key.kind === 'service' || key.kind === 'service-status') {
      touched.services.add(key.id);
    } else if (key.kind === 'node' || key.kind === 'ledger' || key.kind === 'session') {
      touched.nodes.add(key.id);
    } else if (key.kind === 'volume') {
      touched.nodes.add(key.node);
    } else if (key.kind === 'task' || key.kind === 'status') {
      this.#touchOwners(key.id, touched);
    }
  }

  #touchOwners(id: TaskId, touched: Touched): void {
    touched.tasks.add(id);
    const { serviceId, node } = this.#tables.tasks.get(id)?.value ?? this.#tables.unreadableTasks.get(id) ?? {};
    if (serviceId !== undefined) touched.services.add(serviceId);
    if (node !== undefined) touched.nodes.add(node);
  }

  #finish(touched: Touched): ClusterChange {
    for (const set of touched.unsorted) {
      const ids = [...set].sort();
      set.clear();
      ids.forEach(id => set.add(id));
    }
    const { kinds, apps, services, nodes, tasks } = touched;
    return { etcdRevision: this.#tables.etcdRevision, kinds, apps, services, nodes, tasks };
  }
}

type MirroredKey = Extract<RecordKey, { readonly kind: MirroredKind }>;
type TableKind = Exclude<MirroredKind, 'leader' | 'mass-breaker' | 'secret'>;

function isMirrored(key: RecordKey): key is MirroredKey {
  return key.kind in MIRROR_DECODERS;
}

/** The table of a kind; that values of the kind go in is seen to by MIRROR_DECODERS, which has the same kinds. */
function tableOf(tables: Tables, kind: TableKind): Map<string, Versioned<unknown>> {
  const byKind = {
    app: tables.apps, service: tables.services, 'service-status': tables.serviceStatuses, task: tables.tasks, status: tables.statuses,
    node: tables.nodes, ledger: tables.ledgers, session: tables.sessions, controller: tables.controllers, namespace: tables.namespaces, volume: tables.volumes,
  } satisfies Record<TableKind, object>;
  return byKind[kind];
}

function memberSet<Owner, Member>(index: Map<Owner, Set<Member>>, owner: Owner): Set<Member> {
  const set = index.get(owner) ?? new Set<Member>();
  index.set(owner, set);
  return set;
}

function dropMember<Owner, Member>(index: Map<Owner, Set<Member>>, owner: Owner, id: Member): void {
  const set = index.get(owner);
  set?.delete(id);
  if (set?.size === 0) {
    index.delete(owner);
  }
}

/** What the last record of a key said that could be read, which stays true of one that cannot: tasks do not move. */
type KnownBefore = UnreadableTask & UnreadableNode;

function knownOf(tables: Tables, key: MirroredKey): KnownBefore {
  switch (key.kind) {
    case 'task': return tables.tasks.get(key.id)?.value ?? tables.unreadableTasks.get(key.id) ?? {};
    case 'node': return tables.nodes.get(key.id)?.value ?? tables.unreadableNodes.get(key.id) ?? {};
    default: return {};
  }
}

function addUnreadable(tables: Tables, key: MirroredKey, { bytes, known }: { readonly bytes: Uint8Array; readonly known: KnownBefore }): void {
  const { serviceId, node, subnetIndex } = known;
  switch (key.kind) {
    case 'task': tables.unreadableTasks.set(key.id, serviceId === undefined || node === undefined ? salvageTask(bytes) : { serviceId, node }); break;
    case 'node': tables.unreadableNodes.set(key.id, subnetIndex === undefined ? salvageNode(bytes) : { subnetIndex }); break;
    case 'app': tables.unreadableApps.add(key.id); break;
    case 'namespace': tables.unreadableNamespaces.add(key.name); break;
    case 'volume': tables.unreadableVolumes.add(idOf(key)); break;
    default:
  }
}

function dropUnreadable(tables: Tables, key: MirroredKey): void {
  switch (key.kind) {
    case 'task': tables.unreadableTasks.delete(key.id); break;
    case 'node': tables.unreadableNodes.delete(key.id); break;
    case 'app': tables.unreadableApps.delete(key.id); break;
    case 'namespace': tables.unreadableNamespaces.delete(key.name); break;
    case 'volume': tables.unreadableVolumes.delete(idOf(key)); break;
    default:
  }
}

function idOf(key: MirroredKey): string {
  switch (key.kind) {
    case 'namespace': return key.name;
    case 'volume': return `${key.namespace}/${key.name}/${key.node}`;
    default: return 'id' in key ? key.id : '';
  }
}

function noneTouched(): Touched {
  return { kinds: new Set(), apps: new Set(), services: new Set(), nodes: new Set(), tasks: new Set(), unsorted: new Set() };
}

function emptyTables(): Tables {
  return {
    etcdRevision: 0, epoch: 0, apps: new Map(), services: new Map(), serviceStatuses: new Map(), tasks: new Map(), unreadableTasks: new Map(), unreadableApps: new Set(),
    unreadableNodes: new Map(), statuses: new Map(), nodes: new Map(), ledgers: new Map(), sessions: new Map(), controllers: new Map(), secrets: new Map(), volumes: new Map(), unreadableVolumes: new Set(), namespaces: new Map(), unreadableNamespaces: new Set(), tasksOfService: new Map(), tasksOnNode: new Map(), volumesLeaving: new Map(),
  };
}
